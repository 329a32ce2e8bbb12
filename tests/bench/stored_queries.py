"""Stored queries: rules of three terms on each event, beside the same rules one by one, and a join written by hand.

Events are advertisements: a city of 1,000, rooms, a rent, a text of 12 words of 20,000. A rule names a city or a word,
and two intervals. CPU-seconds of this process, all threads. Prints a line of JSON for each contender.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import DataType, DoubleType, LongType, StringType

from jobs.answers.rules import predicate
from jobs.answers.rules.rule_set import SLOW_MICROS, Effort, RuleSet

FIELDS: dict[str, DataType] = {"city": StringType(), "rooms": LongType(), "rent": DoubleType(), "text": StringType()}
CITIES, WORDS, TEXT = 1_000, 20_000, 12
ALONE = 50
"""Rules that are tried on all events one by one; the time of all is extrapolated from theirs."""


def events(size: int, random: np.random.Generator) -> pa.Table:
    """Advertisements."""
    words = np.array([f"word{n}" for n in range(WORDS)], object)
    # The square makes some words a hundred times as frequent as others, as in texts.
    texts = words[(random.random((size, TEXT)) ** 2 * WORDS).astype(np.int64)]
    joined = pc.binary_join_element_wise(*(pa.array(texts[:, n], pa.string()) for n in range(TEXT)), " ")
    cities = np.array([f"city{n}" for n in range(CITIES)], object)[random.integers(CITIES, size=size)]
    columns = [pa.array(cities, pa.string()), random.integers(1, 9, size), random.random(size) * 3_000, joined]
    return pa.table(columns, names=list(FIELDS))


def rules(size: int, random: np.random.Generator) -> list[tuple[Any, ...]]:
    """City, least rooms, highest rent, for each rule; three of four events of a city are beyond them."""
    numbers = zip(random.integers(CITIES, size=size).tolist(), random.integers(1, 9, size).tolist(), strict=True)
    return [(f"city{city}", rooms, round(float(random.random() * 3_000), 2)) for city, rooms in numbers]


def shapes(rows: list[tuple[Any, ...]], random: np.random.Generator) -> dict[str, list[str]]:
    """The same rules in several shapes, as their authors would write them."""
    words = [f"word{int(n * n * WORDS)}" for n in random.random(len(rows)).tolist()]
    pairs = list(zip(words, rows, strict=True))
    return {
        "city": [f"city = '{c}' and rooms >= {r} and rent < {p}" for c, r, p in rows],
        "word": [f"contains(text, '{word}') and rooms >= {r} and rent < {p}" for word, (_, r, p) in pairs],
        "interval": [f"rent between {p} and {p + 3.0:.2f} and rooms <> {r} and city <> '{c}'" for c, r, p in rows],
        "either": [f"(city = '{c}' or city = 'city{r}') and not (rooms < {r} or rent >= {p})" for c, r, p in rows],
    }


@contextmanager
def measured(into: dict[str, Any], name: str) -> Iterator[None]:
    """CPU-seconds of what is within."""
    start, wall = time.process_time(), time.perf_counter()
    yield
    into[name] = {"cpu_s": round(time.process_time() - start, 2), "wall_s": round(time.perf_counter() - wall, 2)}


def headrace(texts: list[str], given: pa.Table) -> dict[str, Any]:
    """Parse the rules, arrange them, try them on all events; hits are counted and let go."""
    result: dict[str, Any] = {"rules": len(texts), "events": len(given)}
    with measured(result, "parse"):
        terms = [predicate.parse(text, FIELDS) for text in texts]
    with measured(result, "arrange"):
        found = RuleSet(terms)
    effort = Effort(found.size)
    with measured(result, "match"):
        for _ in found.hits(given, effort, time.perf_counter_ns):
            pass
    per_event = effort.nanos / max(effort.events, 1) / 1_000
    result |= {"candidates": int(effort.tried.sum()), "hits": int(effort.hits.sum())}
    result |= {"dearest_rule_micros_an_event": float(per_event.max()), "named": len(effort.above(SLOW_MICROS))}
    return result


def one_by_one(rows: list[tuple[Any, ...]], given: pa.Table) -> dict[str, Any]:
    """A cross join: each rule as a filter of Arrow over all events, for some rules, extrapolated to all."""
    result: dict[str, Any] = {"rules": len(rows), "events": len(given), "measured_rules": min(ALONE, len(rows))}
    hits = 0
    with measured(result, "match"):
        for city, rooms, rent in rows[:ALONE]:
            of_rule = pc.and_(pc.equal(given["city"], city), pc.greater_equal(given["rooms"], rooms))
            hits += pc.sum(pc.and_(of_rule, pc.less(given["rent"], rent))).as_py() or 0
    result["extrapolated_cpu_s"] = round(result["match"]["cpu_s"] * len(rows) / result["measured_rules"], 1)
    return result | {"hits": hits}


def join_by_hand(rows: list[tuple[Any, ...]], given: pa.Table, is_hashed: bool) -> dict[str, Any]:
    """DuckDB, with the rules as a table of three columns: what can be written if all rules have one shape.

    `is_hashed`: the join is by the city. Otherwise each event meets each rule, for some rules, extrapolated to all.
    """
    some = rows if is_hashed else rows[:ALONE]
    result: dict[str, Any] = {"rules": len(rows), "events": len(given), "measured_rules": len(some)}
    columns = dict(zip(("c", "r", "p"), (list(column) for column in zip(*some, strict=True)), strict=True))
    equal = "city = c" if is_hashed else "city >= c and city <= c"
    with duckdb.connect() as connection:
        connection.register("given", given)
        connection.register("rules", pa.table(columns))
        with measured(result, "match"):
            query = f"select count(*) from given, rules where {equal} and rooms >= r and rent < p"
            (hits,) = connection.execute(query).fetchone() or (0,)
    result["extrapolated_cpu_s"] = round(result["match"]["cpu_s"] * len(rows) / len(some), 1)
    return result | {"hits": hits}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--shapes", nargs="*", default=["city", "word", "interval", "either"])
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    given, rows = events(options.events, random), rules(options.rules, random)
    texts = shapes(rows, random)
    contenders: dict[str, Callable[[], dict[str, Any]]] = {
        **{f"headrace, {name}": partial(headrace, texts[name], given) for name in options.shapes},
        "one by one, pyarrow": partial(one_by_one, rows, given),
        "every pair, DuckDB": partial(join_by_hand, rows, given, False),
        "hash join by hand, DuckDB": partial(join_by_hand, rows, given, True),
    }
    for name, run in contenders.items():
        print(json.dumps({"contender": name} | run()), flush=True)


if __name__ == "__main__":
    main()
