"""Each order has the rate that was valid at its time, however the log of orders and of rates is cut, and in whatever
order the changes of rates come.
"""

import json
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from jobs.keeping import microbatch, restatement
from jobs.log.archive import writer
from jobs.publishing import as_of_publication
from jobs.run import LOCAL_PROFILE, Places, Run
from jobs.running.errors import Refused
from tests.jobs.admin.command import run
from tests.jobs.keeping.laws import law
from tests.jobs.keeping.orders_and_rates import RATES, RESULT, START
from tests.jobs.keeping.world import World


class Change(NamedTuple):
    """Of a rate."""

    op: str
    currency: str
    rate: float
    since: int
    """Minutes after START, as `made`."""
    made: int

    def value(self, lsn: int) -> bytes:
        row = {"currency": self.currency, "rate": self.rate, "since": _text(self.since)}
        place = json.dumps([str(lsn - 1), str(lsn)])
        source = {"name": "bank", "sequence": place, "ts_ms": int(_time(self.made).timestamp() * 1000)}
        sides = {"before": row, "after": None} if self.op == "d" else {"before": None, "after": row}
        return json.dumps({**sides, "source": source, "op": self.op}).encode()


class Order(NamedTuple):
    money: str | None
    at: int


def _time(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def _text(minutes: int) -> str:
    return _time(minutes).isoformat().replace("+00:00", "Z")


def history(dice: random.Random) -> tuple[list[Order], list[Change]]:
    """Orders as they come, and changes of rates in the order of the bank: some are valid from an earlier time."""
    orders = [Order(dice.choice(["EUR", "USD", "CHF", None]), max(0, now - dice.randint(0, 8))) for now in range(60)]
    live, changes = set[str](), list[Change]()
    for number in range(20):
        currency, made = dice.choice(["EUR", "USD", "CHF"]), 3 * number
        op = "c" if currency not in live else dice.choice(["u", "u", "u", "d"])
        live = live - {currency} if op == "d" else live | {currency}
        changes.append(Change(op, currency, float(number), made - dice.choice([0, 0, 20]), made))
    return orders, changes


def rate_at(order: Order, changes: list[Change]) -> float | None:
    """The rate that is valid from the latest time, unless it was deleted since it was recorded."""
    begun = [
        (change.since, place) for place, change in enumerate(changes)
        if change.op != "d" and change.currency == order.money and change.since <= order.at
    ]  # fmt: skip
    if not begun:
        return None
    _, place = max(begun)
    ended = any(
        other.op == "d" and other.currency == order.money and other.made <= order.at for other in changes[place:]
    )
    return None if ended else changes[place].rate


def append_orders(places: Places, orders: list[Order]) -> None:
    values = [json.dumps({"at": _text(one.at), "money": one.money, "amount": 5}).encode() for one in orders]
    _append(places, "orders", [None] * len(values), values)


def append_rates(places: Places, changes: list[tuple[int, Change]]) -> None:
    """Changes with their LSN."""
    values = [change.value(lsn) for lsn, change in changes]
    _append(places, RATES.TOPIC, [change.currency.encode() for _, change in changes], values)


def _append(places: Places, topic: str, keys: list[bytes | None], values: list[bytes]) -> None:
    times = pa.array([int(_time(60).timestamp() * 1_000_000)] * len(values), pa.timestamp("us", "UTC"))
    records = {"key": pa.array(keys, pa.binary()), "value": pa.array(values, pa.binary()), "timestamp": times}
    writer.append(places.archive, topic, 2, [pa.record_batch(records)])


def check(world: World, orders: list[Order], changes: list[Change]) -> None:
    found = [(row["money"], row["event_time"], row["rate"]) for row in world.rows()]
    assert sorted(found, key=str) == sorted(
        ((one.money, _time(one.at), rate_at(one, changes)) for one in orders), key=str
    )
    assert all((row["rate"] is None) == (row["version_lsn"] is None) for row in world.rows())
    by_lsn = {1000 + 10 * place: change for place, change in enumerate(changes)}
    named = [row for row in world.rows() if row["version_lsn"]]
    assert all(by_lsn[row["version_lsn"]].rate == row["rate"] for row in named)
    assert all(_time(by_lsn[row["version_lsn"]].since) == row["version_valid_from"] for row in named)


ACCIDENTS = ("", "replay", "lose", "after events", "before publish", "after publish", "before ledger")


@law
@given(
    seed=st.integers(0, 999),
    cuts=st.lists(st.integers(1, 59), min_size=1, max_size=2, unique=True).map(sorted),
    accidents=st.lists(st.sampled_from(ACCIDENTS), min_size=3, max_size=3),
)
@example(seed=3, cuts=[20, 45], accidents=["after publish", "replay", "before ledger"])
def test_any_cut_any_order_and_any_accident(
    seed: int, cuts: list[int], accidents: list[str], spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> None:
    dice = random.Random(seed)
    orders, changes = history(dice)
    arrived = [(1000 + 10 * place, change) for place, change in enumerate(changes)]
    arrived += dice.sample(arrived, 5)  # some come again
    dice.shuffle(arrived)
    world = World(spark, tmp_path_factory.mktemp("enriched"), RESULT)
    for first, until, accident in zip([0, *cuts], [*cuts, 60], accidents, strict=False):
        append_orders(world.places, orders[first:until])
        append_rates(world.places, arrived[first * len(arrived) // 60 : until * len(arrived) // 60])
        if world.keep(crash=accident):
            {"replay": world.replay_batch, "lose": world.lose_checkpoint}.get(accident, lambda: None)()
    world.keep()
    check(world, orders, changes)


def test_a_rate_that_comes_late_restates_the_orders_since_it_was_valid(spark: SparkSession, tmp_path: Path) -> None:
    world = World(spark, tmp_path, RESULT)
    first, late = Change("c", "EUR", 1.0, since=5, made=5), Change("u", "EUR", 2.0, since=20, made=50)
    append_orders(world.places, [Order("EUR", at) for at in (0, 10, 30)])
    append_rates(world.places, [(1000, first)])
    world.keep()
    before = {row["event_time"]: row for row in world.rows()}
    assert [before[_time(at)]["rate"] for at in (0, 10, 30)] == [None, 1.0, 1.0]
    [note] = [note for row in world.rows("_ledger") for note in row["notes"] or ()]
    assert note == "1 events have no version yet: their rows wait for one"
    append_rates(world.places, [(1010, late)])
    world.keep()
    rows = {row["event_time"]: row for row in world.rows()}
    assert [(rows[_time(at)]["rate"], rows[_time(at)]["revision"]) for at in (10, 30)] == [(1.0, 1), (2.0, 2)]
    notes = [note for row in world.rows("_ledger") for note in row["notes"] or ()]
    assert "1 rows were restated: another version is valid at their time" in notes
    assert rows[_time(10)]["updated_time"] == before[_time(10)]["updated_time"]


def test_a_large_restatement_is_announced_before_it_is_done(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(as_of_publication, "MANY_EVENTS", 2)
    world = World(spark, tmp_path, RESULT)
    append_orders(world.places, [Order("EUR", at) for at in (10, 20, 30)])
    append_rates(world.places, [(1000, Change("c", "EUR", 1.0, since=5, made=5))])
    heard: list[str] = []
    job = Run(spark, world.places, say=heard.append)
    microbatch.keep(job, RESULT)
    assert not [line for line in heard if "restated" in line]
    append_rates(world.places, [(1010, Change("u", "EUR", 2.0, since=20, made=50))])
    microbatch.keep(Run(spark, world.places, say=heard.append, step=lambda at: heard.append(at)), RESULT)
    [said] = [place for place, line in enumerate(heard) if "rows of up to 2 events" in line]
    assert _time(20).isoformat() in heard[said] and _time(30).isoformat() in heard[said]
    assert heard.index("before publish") < said < heard.index("after publish")


def typed(places: Places, folder: Path, *options: str) -> int:
    """headrace restate order_value_v1 with a job file; the exit code."""
    (folder / "conf").mkdir(exist_ok=True)
    (folder / "conf" / LOCAL_PROFILE).write_text("")  # the session of the tests goes on
    lines = [f'{name} = "{getattr(places, name)}"' for name in ("archive", "tables", "checkpoints")]
    (folder / "conf" / "local.toml").write_text("\n".join(lines))
    (folder / "own.py").write_text("from tests.jobs.keeping.orders_and_rates import RESULT\n")
    arguments = ("--job", f"{folder}/own.py", "--places", f"{folder}/conf/local.toml")
    return run("restate", "order_value_v1", *options, *arguments)


def test_what_waits_is_forecast_and_then_done(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(spark, tmp_path, RESULT)
    with pytest.raises(Refused, match="order_value_v1 has published nothing yet"):
        restatement.forecast(Run(spark, world.places, say=lambda _: None), RESULT)
    orders = [Order(money, at) for money in ("EUR", "USD") for at in (0, 10, 30)]
    append_orders(world.places, orders)
    changes = [Change("c", "EUR", 1.0, since=5, made=5), Change("c", "USD", 3.0, since=0, made=6)]
    append_rates(world.places, [(1000, changes[0]), (1010, changes[1])])
    world.keep()
    before = world.rows()
    # One version is read by a batch whose run ends before it publishes, the other waits in the log, with a new order.
    changes.append(Change("u", "USD", 4.0, since=30, made=50))
    append_rates(world.places, [(1020, changes[2])])
    assert not world.keep(crash="before publish")
    changes.append(Change("u", "EUR", 2.0, since=0, made=51))
    append_rates(world.places, [(1030, changes[3])])
    append_orders(world.places, [Order("EUR", 40)])
    assert typed(world.places, tmp_path, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "2 changes wait for a publish: 1 in its tables, 1 in the log" in said
    # EUR has 2.0 since 0 now, which counts until 1.0 begins at 5; USD has 4.0 since 30.
    span = f"{_time(0).isoformat()} to {_time(30).isoformat()}"
    assert f"2 rows of 2 keys would be restated, of events from {span}" in said
    assert "at most 1 of its files" in said and "with their 6 rows" in said
    assert world.rows() == before

    assert typed(world.places, tmp_path, "--yes") == 0
    check(world, [*orders, Order("EUR", 40)], changes)
    rates = [{(row["money"], row["event_time"]): row["rate"] for row in rows} for rows in (before, world.rows())]
    assert {key for key, found in rates[0].items() if rates[1][key] != found} == {("EUR", _time(0)), ("USD", _time(30))}
    capsys.readouterr()
    assert typed(world.places, tmp_path, "--dry-run") == 0
    assert "order_value_v1: no row would be restated" in capsys.readouterr().out
