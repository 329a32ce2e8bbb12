"""The trend of the benchmark is that of its rows."""

from pathlib import Path

import bench_history
from bench_history import Measurement


def row(commit: str, contender: str, seconds: float, home: str = "archive") -> Measurement:
    return Measurement("2026-01-02 03:04", commit, "2 cores", home, contender, 20_000, seconds, 100)


ROWS = [row("aaa", "headrace", 5.0), row("aaa", "plain-tuned", 20.0), row("bbb", "headrace", 6.0, "kafka")]


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    bench_history.append(ROWS[:1], file)
    bench_history.append(ROWS[1:], file)
    assert file.read_text().splitlines()[0] == ",".join(bench_history.HEADS)
    assert [found[:7] for found in bench_history.read(file)] == [given[:7] for given in ROWS]


def test_the_trend_shows_the_ratio_to_a_peer_of_the_same_run_and_nothing_without_one() -> None:
    text = bench_history.trend(ROWS)
    assert "20,000 records, archive:" in text and "kafka" not in text
    assert f"| 2026-01-02 03:04 | aaa | 5.0 | plain-tuned | 20.0 | 0.25 | {10 * '█'} |" in text


def test_the_report_has_the_trend_once_and_keeps_its_other_words(tmp_path: Path) -> None:
    file, report = tmp_path / "results.csv", tmp_path / "RESULTS.md"
    report.write_text("# Results\n\nWhat it costs.\n\n## 2025\n\nOld.\n")
    for given in (ROWS[:2], [row("ccc", "headrace", 8.0), row("ccc", "headrace-before", 8.0)]):
        bench_history.append(given, file)
        bench_history.draw(report, file)
    text = report.read_text()
    assert text.count("## Trend") == 1 and text.count("aaa") == text.count("ccc") == 1
    assert text.index("What it costs.") < text.index("## Trend") < text.index("## 2025")
    assert text.endswith("## 2025\n\nOld.\n")
