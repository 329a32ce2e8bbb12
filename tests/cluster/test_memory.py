"""A driver that has not enough memory ends with an exit code and a remedy; with more, the numbers are exact."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.log.archive import writer
from tests.cluster.killed_job import ROOT
from tests.cluster.kills import Side
from tests.cluster.memory_job import RESULT
from tests.jobs.keeping import checks, readings
from tests.jobs.keeping.world import places_in


def keep(folder: Path, heap: str) -> "subprocess.CompletedProcess[str]":
    """Run the job in a process of its own."""
    command = [sys.executable, "-m", "tests.cluster.memory_job", str(folder / "places.toml"), heap]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_java_that_runs_out_of_memory_ends_the_run_and_more_memory_gives_exact_numbers(tmp_path: Path) -> None:
    (tmp_path / "places.toml").write_text(
        "".join(f'{name} = "{name}"\n' for name in ("archive", "tables", "checkpoints"))
    )
    log, places = readings.log(each=6), places_in(tmp_path)
    writer.append(places.archive, readings.TOPIC.TOPIC, readings.PARTITIONS, [readings.batch(log)])
    failed = keep(tmp_path, "512m")
    assert failed.returncode == 1
    [line] = [line for line in failed.stderr.splitlines() if line.startswith("headrace: ")]
    assert "ran out of memory" in line and "Raise spark.driver.memory" in line
    more = keep(tmp_path, "2g")
    assert more.returncode == 0, more.stderr[-2000:]
    checks.check_panes(Side(places, RESULT.name, log))
