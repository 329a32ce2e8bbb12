"""How old records are when they can be seen, worked out by hand; and which folders can be measured."""

import argparse
from pathlib import Path

import numpy as np
import pytest
from freshness_figures import Ages, Figures, ages, beside
from headrace_job import checkout

ROOT = Path(__file__).parent.parent


def test_a_record_is_as_old_as_the_first_commit_that_holds_it() -> None:
    times = {0: np.array([100.0, 101.0, 102.0, 109.0]), 1: np.array([100.5])}
    seen = [(103.0, {0: 2}), (104.0, {0: 3, 1: 1}), (110.0, {0: 4})]
    # Partition 0: 3, 2 and 2 seconds; partition 1: 3.5. The last record came after what counts.
    found = ages(times, seen, 100.0, 105.0)
    assert (found.p50, found.most, found.records) == (2.5, 3.5, 4)


def test_a_record_that_no_commit_holds_is_an_error() -> None:
    with pytest.raises(AssertionError, match="never seen"):
        ages({0: np.array([100.0, 101.0])}, [(103.0, {0: 1})], 100.0, 105.0)


def test_two_checkouts_stand_beside_each_other() -> None:
    before = Figures(10, 1.0, 2.0, Ages(1.0, 2.0, 3.0, 9), Ages(2.0, 4.0, 5.0, 9), 20.0, 1_000 * 2**20, ())
    now = Figures(20, 0.5, 1.0, Ages(0.5, 1.5, 3.0, 9), Ages(1.0, 5.0, 6.0, 9), 5.0, 800 * 2**20, ())
    table = beside(before, now)
    assert table[0] == "|  | before | now | now over before |"
    assert "| in the panes, p50, s | 1.00 | 0.50 | 0.50 |" in table
    assert "| in the panes, p99, s | 2.00 | 1.50 | 0.75 |" in table
    assert "| in the windows, p99, s | 4.00 | 5.00 | 1.25 |" in table
    assert "| from kill -9 to the next commit, s | 20.0 | 5.0 | 0.25 |" in table
    assert "| peak memory, MiB | 1,000 | 800 | 0.80 |" in table


def test_a_folder_that_no_job_can_run_in_is_refused(tmp_path: Path) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"no checkout of headrace: it has no tests/bench/"):
        checkout(str(tmp_path))
    (tmp_path / "tests" / "bench").mkdir(parents=True)
    (tmp_path / "tests" / "bench" / "page_rate.py").touch()
    with pytest.raises(argparse.ArgumentTypeError, match=r"has no jars: ln -s "):
        checkout(str(tmp_path))
    (tmp_path / ".jars").mkdir()
    assert checkout(f"{tmp_path}/tests/..") == tmp_path
