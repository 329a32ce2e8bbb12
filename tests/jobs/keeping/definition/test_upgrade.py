"""Tables of an earlier version in which a number would be another one now are refused; the others are taken."""

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql.types import StringType, StructField, StructType, TimestampType

from jobs.answers.result import RULES, Reads, Result
from jobs.answers.windows import CalendarDay, Tumbling, Window, Windows
from jobs.decisions.membership import Membership
from jobs.facts.panes import Panes
from jobs.keeping.definition import upgrade
from jobs.keeping.ledger import Row
from jobs.running.errors import Refused
from jobs.running.places import Places

TOPIC = SimpleNamespace(
    TOPIC="t",
    KEY=None,
    EVENT_TIME="at",
    COLUMNS=StructType([StructField("at", TimestampType()), StructField("g", StringType())]),
)
EARLIER = Row(3, "batch", 1, 0, end_offsets={0: 9}, definition={"topic": "t"})
LARGEST = Decimal("9" * 28).scaleb(-2)


def result(panes: Panes, *windows: Window) -> Result:
    return Result("r_v1", Reads(TOPIC, lambda events: events), Windows(panes, *(windows or (Tumbling("1 hour"),))))


def write(places: Places, name: str, column: str, values: list[Any], kind: pa.DataType) -> None:
    write_deltalake(places.table(name), pa.table({column: pa.array(values, kind)}))


@pytest.mark.parametrize(("more", "refused"), [(0, False), (Decimal("0.01"), True)])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("column", ["cost_sum", "cost_max"])
def test_decimals_of_more_than_28_digits(column: str, sign: int, more: Decimal, refused: bool, places: Places) -> None:
    value = (int(LARGEST.scaleb(2)) + int(more * 100)) * sign
    number = Decimal((int(value < 0), tuple(map(int, str(abs(value)))), -2))
    write(places, "r_v1_panes", column, [None, number], pa.decimal128(38, 2))
    costs = result(Panes("1 hour", averages=("cost",)))
    if refused:
        with pytest.raises(Refused, match=f"r_v1 was begun by an earlier version .*{column} has more than 28 digits"):
            upgrade.check(places, costs, EARLIER)
    else:
        assert upgrade.check(places, costs, EARLIER) == ()


@pytest.mark.parametrize(("values", "refused"), [([0.0, None, -1.5], False), ([0.0, -0.0], True), ([-0.0], True)])
def test_groups_of_negative_zero(values: list[float | None], refused: bool, places: Places) -> None:
    write(places, "r_v1", "cell", values, pa.float64())
    cells = result(Panes("1 hour", ("cell",)))
    if refused:
        with pytest.raises(Refused, match="cell has a group of negative zero"):
            upgrade.check(places, cells, EARLIER)
    else:
        assert upgrade.check(places, cells, EARLIER) == ()


@pytest.mark.parametrize(
    ("zone", "moment", "refused"),
    [
        ("America/St_Johns", datetime(2010, 11, 7, 3, tzinfo=UTC), "clocks there go back over midnight"),
        ("America/St_Johns", datetime(2010, 11, 7, 4, tzinfo=UTC), None),
        ("Antarctica/Casey", datetime(2023, 3, 9, 12, tzinfo=UTC), "has a day of more than 26 hours"),
        ("Antarctica/Casey", datetime(2023, 3, 11, 12, tzinfo=UTC), None),
        ("Europe/Berlin", datetime(2023, 10, 29, 1, tzinfo=UTC), None),
        ("Pacific/Apia", datetime(2011, 12, 30, 12, tzinfo=UTC), None),
    ],
)
def test_days_whose_records_were_others(zone: str, moment: datetime, refused: str | None, places: Places) -> None:
    write(places, "r_v1_panes", "pane_start", [moment], pa.timestamp("us", "UTC"))
    days = result(Panes("30 minutes"), CalendarDay(zone))
    if refused:
        with pytest.raises(Refused, match=f"day {zone}: {refused}"):
            upgrade.check(places, days, EARLIER)
    else:
        assert upgrade.check(places, days, EARLIER) == ()


def test_what_counts_from_now_on_is_said_once_and_never_of_a_result_that_this_version_began(places: Places) -> None:
    both = Result(
        "r_v1",
        Reads(TOPIC, lambda events: events, decide=Membership("1 day")),
        Windows(Panes("1 hour", uniques=("g",)), Tumbling("1 hour")),
    )
    assert [note.split(" ")[:3] for note in upgrade.check(places, both, EARLIER)] == [
        ["an", "empty", "text"],
        ["seen_before", "is", "null"],
    ]
    own = Row(3, "batch", 1, 0, end_offsets={0: 9}, definition={RULES: both.definition()[RULES]})
    assert upgrade.check(places, both, own) == ()
