"""What doctor recommends for records in quarantine fits the reason why they wait, and is accepted."""

import ast
from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs import run
from jobs.admin import findings, remedies
from jobs.events import gate, stragglers
from jobs.keeping import microbatch
from jobs.keeping.requeue import requeue
from jobs.running.places import Places
from tests import delta
from tests.jobs.keeping.definition import sales
from tests.jobs.keeping.definition.sales import NARROW, SALES, WIDE

DEFINITION = {
    "event_time": "at",
    "panes": str({"every": "1 hour", "by": ("tare",), "averages": ("cents",)}),
    "columns": "at timestamp, cents int, `net sum` decimal(5,2), place struct<ok: int>, tare float, weight float",
    "topic rides": str({"key": "None", "event_time": "left_at", "columns": "left_at timestamp, seats tinyint"}),
}


@pytest.mark.parametrize(
    ("waiting", "said"),
    [
        (
            ("missing_field", "shop"),
            "make column shop nullable in the topic's schema file; then: headrace requeue r_v1",
        ),
        (("missing_field", "at"), "only what writes the topic can be mended, as each record needs its event time"),
        (("wrong_type", "cents"), "make column cents bigint in the topic's schema file, if"),
        (("wrong_type", "net sum"), "make column net sum a decimal of more digits in the topic's schema file, if"),
        (("wrong_type", "weight"), "make column weight double"),
        (("wrong_type", "tare"), "or a new version of the result made, for which column tare has another type"),
        (("wrong_type", "place"), "only what writes the topic can be mended, or a new version"),
        (("wrong_type", "unused"), "give column unused a wider type of its kind"),
        (("wrong_type", "at"), "only what writes the topic can be mended, as"),
        (("null_key", "shop"), "set KEY = None in the topic's schema file"),
        (("not_json", None), "only what writes the topic can be mended"),
        (("time_after_record", "at"), "set MAX_AHEAD in the topic's schema file: a longer time if at may be"),
        (("time_after_9998", "at"), "only what writes the topic can be mended"),
        (("wrong_type", "seats"), "make column seats smallint, int or bigint"),
        (("missing_field", "left_at"), "only what writes the topic can be mended, as each record needs its event time"),
        (
            ("late", "at"),
            "nothing is wrong with it: a requeue takes it in as a correction; then: headrace requeue r_v1",
        ),
        (("too_late", "at"), "a new version of the result with longer facts_for, filled from the log"),
    ],
)
def test_a_remedy_fits_its_reason(waiting: tuple[str, str | None], said: str) -> None:
    words = remedies.advice("r_v1", DEFINITION, [waiting])
    assert words.startswith(f"{waiting[0]}: ") and said in words
    assert ("headrace requeue" in words) == ("schema file" in words or waiting[0] == "late")


def test_each_reason_has_a_remedy() -> None:
    named = {word.strip(",.") for word in (gate.__doc__ or "").partition(":")[2].split() if "_" in word}
    files = [Path(gate.__file__), *Path(gate.__file__).with_name("encodings").glob("*.py")]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    written = {node.value for node in nodes if isinstance(node, ast.Constant)}
    reasons = remedies.REMEDIES.keys() - {stragglers.LATE, stragglers.TOO_LATE}
    assert len(named & reasons) > 8 and reasons <= named | {"not_finite"} and reasons <= written


def test_what_is_recommended_is_accepted(spark: SparkSession, places: Places) -> None:
    shopless = {name: value for name, value in SALES[0].items() if name != "shop"}
    ahead = SALES[0] | {"shop": "z", "at": f"{sales.START + timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}"}
    sales.write(places, [SALES[0], SALES[1], SALES[0], shopless, {}, ahead], keys=[b"a", b"a", None, b"a", b"a", b"z"])
    quiet = run.Run(spark, places, say=lambda _: None)
    microbatch.keep(quiet, sales.over(NARROW, KEY="shop"))
    assert waiting(places) == (
        "missing_field: make column shop nullable in the topic's schema file; "
        "not_json: only what writes the topic can be mended; "
        "null_key: set KEY = None in the topic's schema file, if its records may have no key; "
        "time_after_record: set MAX_AHEAD in the topic's schema file: a longer time if at may be further after the "
        "record's own timestamp, None if that timestamp is not to be trusted; "
        "wrong_type: make column cents bigint in the topic's schema file, if its values are right and only too large "
        "for int; then: headrace requeue sales_v1"
    )
    requeue(quiet, sales.over(NARROW, KEY=None, optional=("shop",)))
    assert counted(places) == {("a", 3): 2, (None, 3): 1}
    requeue(quiet, sales.over(WIDE, KEY=None, optional=("shop",), MAX_AHEAD="3 days"))
    assert counted(places) == {("a", 3): 3, (None, 3): 1, ("z", 3): 1}
    assert waiting(places) == "not_json: only what writes the topic can be mended"


def counted(places: Places) -> dict[tuple[str | None, int], int]:
    return {(row["shop"], row["size"]): row["records"] for row in delta.rows(places.table("sales_v1"))}


def waiting(places: Places) -> str:
    [remedy] = [found.remedy for found in findings.examine(places, "sales_v1") if "in quarantine" in found.what]
    return remedy
