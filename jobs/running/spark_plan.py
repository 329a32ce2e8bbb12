"""What Spark makes of a frame: its plan, and what it knows of the plan without running it.

Private attributes of pyspark (`_jdf`, `_jsparkSession`), tried with pyspark 4.2.0, not there under Spark Connect.
"""

from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType


def analysed_plan(frame: DataFrame) -> Any:
    """The root of the logical plan, as an object of Java, after names and types were resolved."""
    return frame._jdf.queryExecution().analyzed()


def canonical_text(frame: DataFrame) -> str:
    """The analysed plan as Spark prints it, without names that mean nothing, but with Spark's numbers of columns."""
    return str(analysed_plan(frame).canonicalized().toString())


def node_name(node: Any) -> str:
    """The kind of a node of a plan, such as Project or AttributeReference."""
    return str(node.getClass().getSimpleName())


def members(sequence: Any) -> list[Any]:
    """The members of a sequence of Scala's."""
    return [sequence.apply(place) for place in range(sequence.size())]


def is_selection(events: DataFrame, transformed: DataFrame) -> bool:
    """Whether `transformed` is nothing but some columns of `events`."""
    plan = analysed_plan(transformed)
    if node_name(plan) != "Project" or not plan.child().fastEquals(analysed_plan(events)):
        return False
    return all(node_name(column) == "AttributeReference" for column in members(plan.projectList()))


def is_projection(transformed: DataFrame) -> bool:
    """Whether `transformed` is one relation, and nothing but columns of it, be they computed or not."""
    node = analysed_plan(transformed)
    while node_name(node) == "Project":
        node = node.child()
    return not members(node.children())


def passes_on(transformed: DataFrame, column: str) -> bool:
    """Whether the column of this name is one that a relation below has under this name, as it is there."""
    plan = analysed_plan(transformed)
    below = [found for leaf in members(plan.collectLeaves()) for found in members(leaf.output())]
    there = {found.exprId().id() for found in below if found.name() == column}
    return all(found.exprId().id() in there for found in members(plan.output()) if found.name() == column)


def size_in_bytes(frame: DataFrame) -> int:
    """What Spark expects the frame to take; exact only over cached frames, it takes any other for huge."""
    return int(frame._jdf.queryExecution().optimizedPlan().stats().sizeInBytes())


def empty_relation(spark: SparkSession, columns: StructType) -> DataFrame:
    """A frame without rows, whose plan is one LocalRelation of these columns."""
    jvm: Any = spark._jvm
    schema = jvm.org.apache.spark.sql.types.DataType.fromJson(columns.json())
    return DataFrame(spark._jsparkSession.createDataFrame(jvm.java.util.ArrayList(), schema), spark)
