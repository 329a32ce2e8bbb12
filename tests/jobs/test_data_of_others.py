"""Records as other people's producers write them, from the log into the tables."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    DataType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs import run
from jobs.answers.result import Reads, Result
from jobs.answers.windows import Tumbling, Windows
from jobs.decisions.membership import Membership
from jobs.facts.panes import Panes
from jobs.keeping import first_records, microbatch
from jobs.log.archive import writer
from jobs.running.progress import Progress
from tests import delta

EIGHT = 1_746_432_000
"""2025-05-05 08:00 UTC, in seconds since 1970."""
ARun = Callable[..., run.Run]


def topic(columns: Mapping[str, DataType], **more: Any) -> Any:
    fields = StructType([StructField(name, kind, True) for name, kind in columns.items()])
    return SimpleNamespace(**({"TOPIC": "t", "KEY": None, "EVENT_TIME": "at", "COLUMNS": fields} | more))


def write(places: run.Places, records: Sequence[dict[str, Any] | str], key: str | None = None, at: int = EIGHT) -> None:
    """Into one partition of topic t, with record timestamps of two hours later."""
    values = [(record if isinstance(record, str) else json.dumps(record)).encode() for record in records]
    named = [record[key] if key and isinstance(record, dict) else None for record in records]
    keys = [None if name is None else name.encode() for name in named]
    times = [datetime.fromtimestamp(at + 7200, UTC)] * len(records)
    kinds = {"key": pa.binary(), "value": pa.binary(), "timestamp": pa.timestamp("us", "UTC")}
    columns = [pa.array(column, kind) for column, kind in zip([keys, values, times], kinds.values(), strict=True)]
    writer.append(places.archive, "t", 1, [pa.record_batch(columns, list(kinds))])


def counted(schema: Any, panes: Panes, *columns: Any, name: str = "r_v1") -> Result:
    def transform(events: DataFrame) -> DataFrame:
        return events.select("event_time", *columns)

    return Result(name, Reads(schema, transform), Windows(panes, Tumbling("1 hour")))


def rows(places: run.Places, name: str = "r_v1") -> list[dict[str, Any]]:
    return delta.rows(places.table(name))


def test_names_with_dots_blanks_and_quotes_and_a_time_inside_of_a_column(a_run: ARun, places: run.Places) -> None:
    meta = StructType([StructField("sent.at", StringType()), StructField("at", TimestampType())])
    names = [
        "room.name",
        'it"s',
        "it's",
        "a b",
        "`",
        "raw",
        "text",
        "fault",
        "good",
        "parsed",
        "value",
        "offset",
        "key_hash",
    ]
    schema = topic(
        {"meta": meta} | dict.fromkeys(names, StringType()) | {"room.temp": DoubleType()}, EVENT_TIME="meta.at"
    )
    texts = {name: f"{number}" for number, name in enumerate(names)}
    write(
        places,
        [{"meta": {"at": f"2025-05-05T08:0{n}:00Z"}, "room.temp": f"2{n}.5" if n else 20.5} | texts for n in range(4)],
    )
    taken = [F.col(f"`{name.replace('`', '``')}`").alias(f"c{number}") for number, name in enumerate(names)]
    groups = tuple(f"c{number}" for number in range(len(names)))
    result = counted(schema, Panes("1 hour", groups, averages=("temp",)), *taken, F.col("`room.temp`").alias("temp"))
    microbatch.keep(a_run(), result)
    [row] = rows(places)
    assert [row[group] for group in groups] == list(texts.values())
    assert (row["records"], row["temp_mean"], row["temp_min"], row["temp_max"]) == (4, 22.0, 20.5, 23.5)


def test_decimals_of_38_digits_and_sums_of_more(a_run: ARun, places: run.Places) -> None:
    schema = topic(
        {"at": TimestampType(), "token": StringType(), "amount": DecimalType(38, 18), "wei": DecimalType(38, 0)}
    )
    nines, tiny = "9" * 38, "0.000000000000000001"
    amounts = [
        ("A", "1234567890123456789.123456789012345678"),
        ("A", "2345678901234567890.987654321098765432"),
        ("B", tiny),
        ("B", "1234567890123456789.000000000000000000"),
        ("C", "-1234567890123456789.123456789012345679"),
        ("C", "1234567890123456789.123456789012345678"),
    ]
    lines = [
        f'{{"at":"2025-05-05T08:0{n}:00Z","token":"{token}","amount":{amount},"wei":{nines}}}'
        for n, (token, amount) in enumerate(amounts)
    ]
    result = counted(schema, Panes("15 minutes", ("token",), averages=("amount", "wei")), "token", "amount", "wei")
    for some in (lines[::2], lines[1::2]):  # each token has a record in each
        write(places, some)
        microbatch.keep(a_run(), result)
    found = {row["token"]: row for row in rows(places)}
    ends = {token: (row["amount_min"], row["amount_max"]) for token, row in found.items()}
    assert ends == {
        token: (min(mine), max(mine))
        for token in "ABC"
        for mine in [[Decimal(amount) for other, amount in amounts if other == token]]
    }
    assert found["C"]["amount_mean"] == -5e-19
    assert {(row["wei_mean"], row["wei_max"]) for row in found.values()} == {(1e38, Decimal(nines))}
    assert {row["records"] for row in found.values()} == {2}


def test_a_unit_that_was_not_said_is_proposed_before_anything_is_counted(a_run: ARun, places: run.Places) -> None:
    columns = {"at": LongType(), "v": IntegerType()}
    write(places, [{"at": EIGHT + 600 * n, "v": n} for n in range(12)])
    panes = Panes("1 minute", averages=("v",))
    with pytest.raises(run.Refused, match=r'can be seconds\. Say it in .*EVENT_TIME_UNIT = "seconds"'):
        microbatch.keep(a_run(), counted(topic(columns), panes, "v"))
    microbatch.keep(a_run(), counted(topic(columns, EVENT_TIME_UNIT="seconds"), panes, "v", name="r_v2"))
    assert sorted((f"{r['window_start']:%F %H}", r["records"], r["v_mean"]) for r in rows(places, "r_v2")) == [
        ("2025-05-05 08", 6, 2.5),
        ("2025-05-05 09", 6, 8.5),
    ]


@pytest.mark.parametrize(
    ("factor", "unit", "more"),
    [
        (1, "seconds", {}),
        (10**6, "microseconds", {}),
        (10**9, "nanoseconds", {}),
        (10**6, "microseconds", {"MAX_AHEAD": None}),
        (10**3, None, {}),
        (10**3, None, {"MAX_AHEAD": None}),
        (1, None, {"EVENT_TIME_UNIT": "milliseconds"}),
        (0, None, {}),
    ],
)
def test_the_unit_of_the_first_records_is_guessed_to_refuse_and_never_to_count(
    factor: int, unit: str | None, more: dict[str, Any], places: run.Places
) -> None:
    write(places, [{"at": (EIGHT + n) * factor + n} for n in range(20)] + ["no JSON", '{"at": "soon"}', "{}", "[5]"])
    schema = topic({"at": LongType()}, **more)
    if unit is None:
        first_records.check(places, schema, {}, {0: 24})
    else:
        with pytest.raises(run.Refused, match=f'EVENT_TIME_UNIT = "{unit}"'):
            first_records.check(places, schema, {}, {0: 24})
    first_records.check(places, topic({"at": TimestampType()}), {}, {0: 24})  # a time has no unit


def test_records_with_timestamps_of_1970_can_be_read_and_a_run_in_which_none_is_good_says_so(
    a_run: ARun, places: run.Places, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = {"at": TimestampType(), "v": IntegerType()}
    write(places, [{"at": f"2025-05-05T08:0{n}:00Z", "v": n} for n in range(4)], at=-7200)
    panes, progress = Panes("1 hour", averages=("v",)), Progress()
    microbatch.keep(a_run(closed=progress.count), counted(topic(columns), panes, "v"))
    progress.end("r_v1")
    assert progress.none_good
    assert "none of the 4 records of the batch is good: 4 time_after_record of at" in capsys.readouterr().err
    progress = Progress()
    trusting = counted(topic(columns, MAX_AHEAD=None), panes, "v", name="r_v2")
    microbatch.keep(a_run(closed=progress.count), trusting)
    progress.end("r_v2")
    assert not progress.none_good and "none of" not in capsys.readouterr().err
    [window] = rows(places, "r_v2")
    assert (f"{window['window_start']:%F %H}", window["records"], window["v_mean"]) == ("2025-05-05 08", 4, 1.5)


def test_a_record_without_a_key_was_never_seen_before(a_run: ARun, places: run.Places) -> None:
    schema = topic({"at": TimestampType(), "id": StringType()})
    keys = ["a", None, None, "a", "", ""]
    write(places, [{"at": f"2025-05-05T08:0{n}:00Z", "id": key} for n, key in enumerate(keys)], key="id")
    seen = Result("r_v1", Reads(schema, lambda events: events, decide=Membership("1 day")))
    microbatch.keep(a_run(), seen)
    found = [row["seen_before"] for row in sorted(rows(places), key=lambda row: row["record_offset"])]
    assert found == [False, None, None, True, False, True]
