"""Names that point to results: one commit switches them, one of two who switch at once is refused."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from jobs.lake import pointers
from jobs.lake.pointers import Pointers, Switch, SwitchKind
from jobs.publishing import results
from jobs.running.errors import Refused
from jobs.running.places import Places


def switch(places: Places, name: str, to: str, kind: str = SwitchKind.PROMOTE) -> Switch:
    before = pointers.read(places)
    return pointers.append(
        places, before, Switch(kind, name, before.targets.get(name), to, f"id of {to}", {"t": {0: 7}})
    )


def write(places: Places, name: str, number: int) -> None:
    write_deltalake(places.table(name), pa.table({"number": [number]}))


def test_the_history_stays_and_the_last_switch_counts(places: Places) -> None:
    assert pointers.read(places) == Pointers()
    for name, to in (("rides", "rides_v1"), ("fares", "fares_v3"), ("rides", "rides_v2")):
        switch(places, name, to)
    known = pointers.read(places)
    assert known.targets == {"rides": "rides_v2", "fares": "fares_v3"}
    rows = [(each.sequence, each.name, each.from_result, each.to_result) for each in known.switches]
    assert rows == [
        (1, "rides", None, "rides_v1"),
        (2, "fares", None, "fares_v3"),
        (3, "rides", "rides_v1", "rides_v2"),
    ]
    assert known.switches[2].offsets == {"t": {0: 7}}
    assert known.switches[0].switched_time <= known.switches[2].switched_time


def test_what_is_stored_keeps_its_names(places: Places) -> None:
    switch(places, "rides", "rides_v1")
    stored = ("sequence", "kind", "name", "from_result", "to_result", "ledger_id", "offsets")
    table = DeltaTable(places.table("_pointers"))
    assert [column.name for column in table.schema().fields] == [*stored, "switched_by", "switched_time"]
    assert table.transaction_version("pointers") == 1
    assert [kind.value for kind in SwitchKind] == ["promote", "rollback", "retire"]


def test_each_switch_is_one_commit(places: Places) -> None:
    for to in ("rides_v1", "rides_v2", "rides_v3"):
        switch(places, "rides", to)
    assert DeltaTable(places.table("_pointers")).version() == 3, "it was made in version 0"


def test_a_rollback_goes_back_over_promotions_that_were_not_rolled_back(places: Places) -> None:
    for to in ("v1", "v2", "v3"):
        switch(places, "rides", to)
    assert pointers.read(places).results_before("rides") == ("v1", "v2")
    switch(places, "rides", "v2", SwitchKind.ROLLBACK)
    assert pointers.read(places).results_before("rides") == ("v1",)
    switch(places, "rides", "v4")
    assert pointers.read(places).results_before("rides") == ("v1", "v2")
    switch(places, "rides", "v2", SwitchKind.ROLLBACK)
    switch(places, "rides", "v1", SwitchKind.ROLLBACK)
    assert pointers.read(places).results_before("rides") == ()


def test_of_two_that_were_decided_on_the_same_state_the_second_is_refused(places: Places) -> None:
    switch(places, "rides", "rides_v1")
    before = pointers.read(places)
    row = Switch(SwitchKind.PROMOTE, "rides", "rides_v1", "rides_v2", "id")
    pointers.append(places, before, row)
    with pytest.raises(Refused, match="somebody else has switched a name at the same time"):
        pointers.append(places, before, row)
    assert len(pointers.read(places).switches) == 2


@pytest.mark.parametrize("first", [True, False], ids=["the first switch of all", "a later one"])
def test_of_many_at_once_one_wins(places: Places, first: bool) -> None:
    if not first:
        switch(places, "rides", "rides_v1")
    before, count = pointers.read(places), 4
    together = threading.Barrier(count)

    def attempt(number: int) -> str:
        together.wait()
        try:
            return pointers.append(places, before, Switch("promote", "rides", None, f"rides_w{number}", "id")).to_result
        except Refused:
            return ""

    with ThreadPoolExecutor(count) as pool:
        won = list(filter(None, pool.map(attempt, range(count))))
    assert len(won) == 1
    assert pointers.read(places).targets["rides"] == won[0]
    assert len(pointers.read(places).switches) == len(before.switches) + 1


def test_a_reader_sees_all_tables_of_one_result_whenever_it_looks(places: Places) -> None:
    for number in (1, 2):
        for part in ("", "_feed", "_top"):
            write(places, f"rides_v{number}{part}", number)
    switch(places, "rides", "rides_v1")
    seen: set[tuple[int, ...]] = set()
    stop, begun = threading.Event(), threading.Event()

    def read() -> int:
        reads = 0
        sql = (
            "select a.number, b.number as b, c.number as c from rides a cross join rides_feed b cross join rides_top c"
        )
        while not stop.is_set():
            seen.update(
                tuple(row.values())
                for row in results.query(places, sql, "rides", "rides_feed", "rides_top").to_pylist()
            )
            reads += 1
            begun.set()
        return reads

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        try:
            assert begun.wait(60)
            for turn in range(20):
                switch(places, "rides", f"rides_v{2 - turn % 2}")
        finally:
            stop.set()
        assert reading.result(60) > 1
    assert seen <= {(1, 1, 1), (2, 2, 2)}


def test_a_table_of_that_name_comes_before_a_pointer(places: Places) -> None:
    write(places, "rides_v1_top", 1)
    write(places, "rides_top", 5)
    switch(places, "rides", "rides_v1")
    assert results.pandas(places, "rides_top")["number"].tolist() == [5]
    assert results.table_path(places, "rides_v1_top") == places.table("rides_v1_top")


def test_the_longest_name_counts(places: Places) -> None:
    write(places, "a_v1_b", 1)
    write(places, "b_v1", 2)
    switch(places, "a", "a_v1")
    assert results.pandas(places, "a_b")["number"].tolist() == [1]
    switch(places, "a_b", "b_v1")
    assert results.pandas(places, "a_b")["number"].tolist() == [2]
    assert results.table_path(places, "a_b") == places.table("b_v1")


@pytest.mark.parametrize(
    "name", ["rides", "rides_nothing", "ride", "ridesx", "rides-top", "", "../rides", "rides_/../x"]
)
def test_a_name_that_means_nothing_is_refused(places: Places, name: str) -> None:
    switch(places, "rides", "rides_v1")
    with pytest.raises(Refused, match="there is no table"):
        results.pandas(places, name)


def test_a_result_cannot_take_a_name_that_readers_use(places: Places) -> None:
    write(places, "rides_v1_top", 1)
    switch(places, "rides", "rides_v1")
    pointers.check_free(places, ["rides_v2", "rides_v2_ledger"])
    for taken in ("rides", "rides_top"):
        with pytest.raises(Refused, match=f"readers already use the name {taken}"):
            pointers.check_free(places, ["other", taken])
    with pytest.raises(Refused, match="headrace's pointers"):
        pointers.check_free(places, ["_pointers"])


def test_a_table_of_somebody_else_in_its_place_is_refused(places: Places) -> None:
    write(places, "_pointers", 1)
    with pytest.raises(Refused, match="other columns than headrace gave it"):
        pointers.read(places)
