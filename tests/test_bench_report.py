"""The report of the benchmark has the numbers of its runs, and a contender that fails stops no other."""

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import run as bench_run
from bench_input import Input
from bench_plan import Entry
from compare import Difference
from contenders import Contender, Results
from measure import Cost, measure
from report import Run, section

RIGHT = Difference(10, 0, 0, 0, 0.0, 1, 0, 0, 0.0, 0.0, 1, 0, 0, 0.0)


def a_run(contender: str, home: str, records: int, cpu: float, broker: float | None = None) -> Run:
    cost = Cost(0, cpu, 0.0, cpu, cpu / 2, 300 * 2**20, 400 * 2**20)
    return Run(contender, records, 1, cost, RIGHT, home, broker)


RUNS = [
    a_run("duckdb", "archive", 1_000, 0.5),
    a_run("headrace", "archive", 1_000, 12.0),
    a_run("headrace", "kafka", 1_000, 9.0, 0.5),
    a_run("headrace", "kafka", 1_000, 11.0, 1.5),
    a_run("flink", "kafka", 1_000, 40.0, 0.0),
    a_run("headrace", "kafka", 1_001_000, 30.0, 3.0),
    a_run("flink", "kafka", 1_001_000, 80.0, 0.0),
]


def rows(text: str) -> list[list[str]]:
    """The cells of every row of its tables."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_each_size_is_one_table_with_the_ratios_of_the_same_home() -> None:
    found = rows(section(RUNS, 2))
    # Medians of headrace are 12 (archive) and 10 (Kafka): 12 / 0.5, 10 / 40, 30 / 80.
    assert ["archive", "duckdb", "0.5", "0.2", "300", "", "24.00"] in found
    assert ["archive", "headrace", "12.0", "6.0", "300", "", ""] in found
    both = ["10.0 (9.0 to 11.0)", "5.0 (4.5 to 5.5)", "300", "1.0 (0.5 to 1.5)", ""]
    assert ["kafka", "headrace", *both] in found
    assert ["kafka", "flink", "40.0", "20.0", "300", "0.0", "0.25"] in found
    assert ["kafka", "flink", "80.0", "40.0", "300", "0.0", "0.38"] in found


def test_a_further_record_is_compared_with_flinks() -> None:
    found = rows(section(RUNS, 2))
    # (30 - 10) and (80 - 40) seconds for a million records; the archive was not read at the larger size.
    assert ["kafka", "headrace", "20.00", "0.50"] in found
    assert ["kafka", "flink", "40.00", ""] in found
    assert ["archive", "headrace", "", ""] in found


def test_the_report_says_who_was_left_out() -> None:
    assert "\n- flink is left out. Why.\n" in section(RUNS[:2], 2, ["flink is left out. Why."])


def test_runs_without_a_home_are_of_the_archive(tmp_path: Path) -> None:
    earlier = {
        "contender": "headrace",
        "records": 1_000,
        "batches": 1,
        "cost": vars(RUNS[0].cost),
        "difference": vars(RIGHT),
    }
    (tmp_path / "runs.jsonl").write_text(json.dumps(earlier) + "\n")
    [found] = bench_run.stored(tmp_path / "runs.jsonl")
    assert found == replace(RUNS[0], contender="headrace")


def results(windows: int) -> Results:
    """Of one record, in the first `windows` of its ten windows."""
    starts = pd.to_datetime([60 * start for start in range(windows)], unit="s", utc=True)
    minute = starts[:1]
    return Results(
        pd.DataFrame({"page": "p", "window_start": starts, "count": 1, "mean": 5.0}),
        pd.DataFrame({"page": ["p"], "minute": minute, "estimate": 1.0}),
        pd.DataFrame({"minute": minute, "count": [1]}),
    )


def test_a_command_that_hangs_is_killed_with_all_it_started(tmp_path: Path) -> None:
    cost = measure(["sh", "-c", "sleep 600 & wait"], tmp_path / "printed.log", limit=1)
    assert cost.exit_code == -signal.SIGKILL
    assert 1 <= cost.wall_seconds < 60


def test_one_that_fails_or_is_wrong_does_not_stop_the_others(tmp_path: Path) -> None:
    log = Input("", "page_view", 1, 1, 1, 1, 1)

    def entry(name: str, script: str = "exit 0", load: Callable[[Path], Results] = lambda _: results(10)) -> Entry:
        return Entry(Contender(name, lambda log, out: ["sh", "-c", script], load, True, (0, 0)), log)

    order = [
        entry("duckdb"),
        entry("failing", "echo no memory; exit 3"),
        entry("wrong", load=lambda _: results(9)),
        entry("right"),
    ]
    failures: list[str] = []
    runs = list(bench_run.measured(order, tmp_path, None, tmp_path / "runs.jsonl", failures))
    assert [run.contender for run in runs] == ["duckdb", "wrong", "right"]
    assert failures[0] == "failing-archive, 1 records: ended with exit code 3"
    assert failures[1].startswith("wrong-archive: 1 rows are missing") and len(failures) == 2
    assert bench_run.stored(tmp_path / "runs.jsonl") == runs
