"""Can the answers of changes, and those made of them, be kept as the job file says? Checked before a table is made."""

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from jobs.answers import answer_kinds
from jobs.answers.changes.as_of_answer import AsOfAnswer
from jobs.answers.changes.change_answer import ChangeAnswer
from jobs.answers.latest import Latest
from jobs.answers.views.view import View
from jobs.events import topic_schema
from jobs.events.changes.change_form import ChangeForm
from jobs.events.changes.debezium_transactions import is_of_transactions, prefix
from jobs.running import spark_plan
from jobs.running.errors import Mistake


def check(name: str, all_reads: Sequence[Any], answers: Any, then: str) -> None:
    """Raises Mistake unless changes are answered by Latest and Versions, and these read changes."""
    of_changes, as_of = answer_kinds.of_changes(answers), answer_kinds.as_of(answers)
    views = answer_kinds.views(answers)
    forms = {each.topic.TOPIC: each for each in all_reads if each.form and not is_of_transactions(each.form)}
    others = [each for each in answer_kinds.in_order(answers) if each not in (*of_changes, *as_of, *views)]
    if bool(forms) != bool(of_changes) or (of_changes and others) or ((as_of or views) and not of_changes):
        raise Mistake(
            f"{name}: Latest and Versions answer the changes of tables, and nothing else does: "
            'Result(..., Reads(customer, transform, form=debezium.CHANGES), Latest(key=("id",)))'
        )
    for answer in of_changes:
        _check_key(name, answer, forms)
    for topic, reads in forms.items():
        _check_transactions(name, topic, reads.form)
        if not any(answer.topic in ("", topic) for answer in of_changes):
            raise Mistake(
                f"{name}: reads the changes in {topic}, and no answer is of them: Latest(..., topic={topic!r})"
            )
    if views and not any(isinstance(answer, Latest) and answer.name for answer in of_changes):
        raise Mistake(
            f"{name}: the SQL of a View calls tables of latest rows by the names of their answers, and none has one: "
            'Latest(key=("id",)).named("posts")'
        )
    for made in as_of:
        _check_as_of(name, made, of_changes, [reads.topic.TOPIC for reads in all_reads if not reads.form])
    for reads in all_reads:
        if of_changes and not reads.form and not any(made.each == reads.topic.TOPIC for made in as_of):
            raise Mistake(
                f"{name}: {reads.topic.TOPIC} has no changes, and no answer names it: form=... says how changes are "
                "written, and Enriched answers events"
            )
    if of_changes and then != "correct":
        raise Mistake(
            f"{name}: changes are put in the order of the database's log, so none is too late to count: leave then out "
            "of Late, which takes late records out"
        )


def _check_transactions(name: str, topic: str, form: ChangeForm) -> None:
    """Raises Mistake if the topic that tells of transactions is not that of the topic's database."""
    if form.transaction_topic and not topic.startswith(prefix(form.transaction_topic) or "."):
        raise Mistake(
            f"{name}: {topic} is not of the database whose transactions are in {form.transaction_topic}: the names of "
            "both topics begin with the connector's topic.prefix, such as store.public.orders and store.transaction"
        )


def _check_key(name: str, answer: ChangeAnswer, forms: dict[str, Any]) -> None:
    kind = type(answer).__name__
    if not answer.topic and len(forms) > 1:
        raise Mistake(
            f"{name}: {kind} does not say of which topic it is, and the result reads the changes in "
            f"{', '.join(forms)}: {kind}(..., topic={next(iter(forms))!r})"
        )
    if answer.topic and answer.topic not in forms:
        raise Mistake(
            f"{name}: {kind} is of topic {answer.topic}, and the result reads the changes in {', '.join(forms)}"
        )
    reads = forms[answer.topic] if answer.topic else next(iter(forms.values()))
    primary = {field.name for field in reads.topic.ROW_COLUMNS if not field.nullable}
    if set(answer.key) - {"change_source"} != primary:
        there = ", ".join(sorted(primary)) or "none"
        raise Mistake(
            f"{name}: the key of {kind} is {', '.join(answer.key)}, and the columns that are not nullable in "
            f"{topic_schema.file_name(reads.topic)} are {there}: let these be the primary key, and no others"
        )


def _check_as_of(name: str, made: AsOfAnswer, of_changes: Sequence[ChangeAnswer], topics: Sequence[str]) -> None:
    kind = type(made).__name__
    if made.each not in topics:
        there = ", ".join(topics) or "none"
        raise Mistake(
            f"{name}: {kind} is of each event of {made.each}, and the topics of events that it reads: {there}"
        )
    if made.versions not in of_changes:
        raise Mistake(
            f"{name}: {kind} takes versions that are no answer of the result: name them there, too: "
            "answers=(PRICES, Enriched(..., versions=PRICES, ...))"
        )


def check_selection(name: str, transformed: DataFrame) -> None:
    """Raises Mistake if a transform of changes does more than leave columns out: a row that it filters away would stay
    as it was, and a value that it computes of one that a change does not tell would be wrong.
    """
    changed = [column for column in transformed.columns if not spark_plan.passes_on(transformed, column)]
    if changed or not spark_plan.is_projection(transformed):
        what = f"changes {changed[0]}" if changed else "filters or joins"
        raise Mistake(
            f"{name}: the transform of changes {what}, and may only leave columns out: events.select(...). Filter and "
            "compute where the table is read"
        )


def check_columns(name: str, changes: StructType, answer: ChangeAnswer) -> None:
    """Raises Mistake unless a transform returns what the answer is made of."""
    try:
        answer.check(changes)
    except Mistake as mistake:
        raise Mistake(f"{name}: {mistake}") from None


def check_as_of(name: str, answer: AsOfAnswer, events: StructType, versions: StructType) -> StructType:
    """The columns of an answer of such events and versions. Raises Mistake if it cannot be given."""
    try:
        answer.check(events, versions)
    except Mistake as mistake:
        raise Mistake(f"{name}: {mistake}") from None
    return answer.columns(events, versions)


def check_view(name: str, view: View, given: Mapping[str, StructType]) -> StructType:
    """The columns of a view over tables of latest rows with these columns. Raises Mistake if it cannot be given."""
    try:
        return view.columns(given)
    except Mistake as mistake:
        raise Mistake(f"{name}: {mistake}") from None
