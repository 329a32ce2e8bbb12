"""headrace demo, on the first departures of the year: each time in a process of its own, as a user has it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from jobs.admin import flights

ROOT = Path(__file__).parent.parent.parent.parent
FLIGHTS = 3_000
SUBSET = f"""
import sys
from pathlib import Path
from jobs.admin import flights
from jobs.admin.demo import demo
whole = flights.table
flights.table = lambda: whole().head({FLIGHTS})
demo(Path(sys.argv[1]))
"""


def demo(places: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SUBSET, str(places)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_demo_shows_its_numbers_and_a_second_one_finds_nothing_new(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / ".jars").symlink_to(ROOT / ".jars")
    places = tmp_path / "conf" / "local.toml"
    first = demo(places)
    assert first.returncode == 0, first.stderr
    left = flights.table().head(FLIGHTS).dropna(subset=["dep_time"])
    assert f"{len(left):,} records in 4 partitions" in first.stderr
    assert re.search(rf"departure_delay_v1: {len(left):,} records, [\d,]+ records/s, \d+ batch", first.stderr)
    for origin, count in left.groupby("origin").size().items():
        assert re.search(rf"{origin}\s.*\s{count:,}\s", first.stdout), origin
    for name in ("departure_delay_v1", "unique_aircraft_v1", "first_sighting_v1"):
        assert f"{tmp_path}/data/tables/{name}" in first.stdout
        assert (tmp_path / "data" / "tables" / name / "_delta_log").is_dir()
    assert "What to do next" in first.stdout and "Nothing new" not in first.stdout
    second = demo(places)
    assert second.returncode == 0, second.stderr
    assert "Nothing new in the log" in second.stdout
    tables = first.stdout[first.stdout.index("Which days") :]
    assert tables in second.stdout
