"""Where two results have published the same records of the log: the table versions of both, found in their ledgers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jobs.admin import standing
from jobs.answers import table_names
from jobs.keeping import ledger
from jobs.keeping.ledger import Row
from jobs.keeping.steps import Kind
from jobs.publishing.results import query
from jobs.running.errors import Refused
from jobs.running.places import Places

Offsets = frozenset[tuple[tuple[str, int], int]]
"""((topic, partition), offset after the last record); partitions of which nothing was read are left out."""


@dataclass(frozen=True)
class Moment:
    """What a ledger row says of a result's published tables."""

    name: str
    sequence: int
    tables: Mapping[str, Mapping[str, Any]]
    """By name, Delta's id and version."""
    shows_open: bool
    """Whether a run that ended has shown rows of events that nothing decides yet."""


@dataclass(frozen=True)
class Equal:
    """Two results at the same offsets."""

    old: Moment
    new: Moment
    offsets: Offsets
    """Of the topics that both read."""
    lone_topics: tuple[str, ...]
    """Topics that one of them alone reads, which need not be at the same offsets."""
    begin_alike: bool
    """Whether both began at the same offsets of these topics."""


def last_row(places: Places, name: str) -> Row:
    """The last row of a result's ledger. Raises Refused if there is none."""
    last = ledger.last(places, name)
    if last is None:
        raise Refused(f"there is no result {name} in {places.tables}, or it has no rows in its ledger: run its job.")
    return last


def topics(last: Row) -> tuple[str, ...]:
    """The topics that a result reads."""
    return (last.definition.get("topic", ""), *last.further_topics)


def find(places: Places, old: str, new: str) -> Equal:
    """The latest moment at which what both have published ends at equal offsets.

    Raises Refused if there is none, with how far each has read, or if they do not read the same log.
    """
    lasts = {name: last_row(places, name) for name in (old, new)}
    both = [topic for topic in topics(lasts[old]) if topic in topics(lasts[new])]
    if not both:
        texts = " and ".join(f"{name} reads {', '.join(topics(last))}" for name, last in lasts.items())
        raise Refused(f"{texts}: they read no topic in common, so they are never at equal offsets.")
    _check_same_log(lasts[old], lasts[new], both)
    rows = {name: _rows(places, name, last) for name, last in lasts.items()}
    known = {name: _last_rows(rows[name], lasts[name], both) for name in lasts}
    shared = [offsets for offsets in known[old] if offsets and offsets in known[new]]
    if not shared:
        extents = "; ".join(f"{name} has published {text(_newest(offsets))}" for name, offsets in known.items())
        raise Refused(
            f"{old} and {new} have published nothing at equal offsets: {extents}. Run both jobs to the end while "
            "nothing is written to the log, and compare again."
        )
    best = max(shared, key=lambda offsets: known[old][offsets])
    lone = {*topics(lasts[old])} ^ {*topics(lasts[new])}
    old_start, new_start = (_first_offsets(rows[name], lasts[name], both) for name in (old, new))
    before, now = (_moment(places, name, known[name][best]) for name in (old, new))
    return Equal(before, now, best, tuple(sorted(lone)), old_start == new_start)


def published_offsets(places: Places, name: str, last: Row) -> dict[str, dict[int, int]]:
    """By topic and partition, how far what a result has published reaches."""
    found: dict[str, dict[int, int]] = {}
    for (topic, partition), offset in _newest(_last_rows(_rows(places, name, last), last, topics(last))):
        found.setdefault(topic, {})[partition] = offset
    return found


def text(offsets: Offsets) -> str:
    """Offsets in words, such as: departures to 0: 17, 1: 20."""
    by_topic: dict[str, list[str]] = {}
    for (topic, partition), offset in sorted(offsets):
        by_topic.setdefault(topic, []).append(f"{partition}: {offset:,}")
    return "; ".join(f"{topic} to {', '.join(ends)}" for topic, ends in by_topic.items()) or "nothing"


def _check_same_log(old: Row, new: Row, both: Iterable[str]) -> None:
    for topic in both:
        ids = [row.positions(topics(row))[topic].topic_id for row in (old, new)]
        if all(ids) and ids[0] != ids[1]:
            raise Refused(
                f"they have read two topics of the name {topic}, one of which was deleted: their offsets mean unlike "
                "records. Build both from the topic of today."
            )


def _rows(places: Places, name: str, last: Row) -> list[dict[str, Any]]:
    """How far each row of the ledger has read and published, in order."""
    table = table_names.table(name, "ledger")
    columns = "sequence, kind, start_offsets, end_offsets, published_sequence"
    columns += ", further_topics" if last.further_topics else ""  # the ledger of an older version has no such column
    sql = f'select {columns} from "{table}" order by sequence'
    rows: list[dict[str, Any]] = query(places, sql, table).to_pylist(maps_as_pydicts="strict")
    if not standing.has_publications(last):  # its table has a row for each record, from the batch itself
        rows = [row | {"published_sequence": row["sequence"]} for row in rows]
    return rows


def _last_rows(rows: Iterable[Mapping[str, Any]], last: Row, wanted: Iterable[str]) -> dict[Offsets, int]:
    """For all offsets that were ever published: the last ledger row after which the tables reached just so far."""
    wanted, ends, found = tuple(wanted), {}, {}
    for row in rows:
        ends[row["sequence"]] = _offsets(row, "end_offsets", last, wanted)
        if row["published_sequence"] in ends:
            found[ends[row["published_sequence"]]] = int(row["sequence"])
    return found


def _newest(published: Mapping[Offsets, int]) -> Offsets:
    return max(published, key=lambda offsets: published[offsets], default=frozenset())


def _first_offsets(rows: Iterable[Mapping[str, Any]], last: Row, wanted: Iterable[str]) -> Offsets:
    """Where the first batch began."""
    first = next((row for row in rows if row["kind"] == Kind.BATCH), None)
    return _offsets(first, "start_offsets", last, wanted) if first else frozenset()


def _offsets(row: Mapping[str, Any], which: str, last: Row, wanted: Iterable[str]) -> Offsets:
    by_topic = {last.definition.get("topic", ""): row} | (row.get("further_topics") or {})
    return frozenset(
        ((topic, partition), offset) for topic in wanted
        for partition, offset in (by_topic.get(topic, {}).get(which) or {}).items() if offset
    )  # fmt: skip


def _moment(places: Places, name: str, sequence: int) -> Moment:
    table = table_names.table(name, "ledger")
    sql = f'select * from "{table}" where sequence = {sequence}'
    row = query(places, sql, table).to_pylist(maps_as_pydicts="strict")[0]
    shows_open = (row.get("open_sequence") or 0) >= row["published_sequence"]
    return Moment(name, sequence, row["tables"], shows_open)
