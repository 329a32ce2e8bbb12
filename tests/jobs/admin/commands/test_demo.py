"""headrace demo, on the first departures of the year: each time in a process of its own, as a user has it."""

import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from jobs.admin import demo_flights
from jobs.log.archive.snapshot import extents
from schemas import arrival
from tests import delta

ROOT = Path(__file__).parents[4]
FLIGHTS = 3_000
EVENING = datetime(2013, 1, 4, 1, tzinfo=UTC)
"""20 o'clock in New York on the third day."""
SUBSET = f"""
import sys
from pathlib import Path
from datetime import UTC, datetime
from jobs.admin import demo_flights
from jobs.admin.commands import demo
demo.EVENING = datetime.fromisoformat("{EVENING.isoformat()}")
whole = demo_flights.table
demo_flights.table = lambda: whole().head({FLIGHTS})
demo.demo(Path(sys.argv[1]), arrivals="arrivals" in sys.argv)
"""


def demo(places: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SUBSET, str(places), *more]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_demo_shows_its_numbers_and_a_second_one_finds_nothing_new(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / ".jars").symlink_to(ROOT / ".jars")
    places = tmp_path / "conf" / "local.toml"
    first = demo(places)
    assert first.returncode == 0, first.stderr
    left = demo_flights.departures(demo_flights.table().head(FLIGHTS))
    after = int((left["departure_time"] >= EVENING).sum())
    for count in (len(left) - after, after):
        assert f"{count:,} records in 4 partitions" in first.stderr
        assert re.search(rf"departure_delay_v1: {count:,} records, [\d,]+ records/s, \d+ batch", first.stderr)
    for origin, count in left.groupby("origin").size().items():
        assert re.search(rf"{origin}\s.*\s{count:,}\s", first.stdout), origin
    for name in ("departure_delay_v1", "unique_aircraft_v1", "first_sighting_v1"):
        assert f"{tmp_path}/data/tables/{name}" in first.stdout
        assert (tmp_path / "data" / "tables" / name / "_delta_log").is_dir()
    assert "What to do next" in first.stdout and "Nothing new" not in first.stdout
    early = left["departure_time"] < EVENING
    begun, came_late = ({(r.origin, r.scheduled_time.floor("h")) for r in some.itertuples()}
                        for some in (left[early], left[~early]))  # fmt: skip
    hours = {(origin, hour.to_pydatetime()) for origin, hour in begun & came_late}
    rows = delta.rows(tmp_path / "data" / "tables" / "departure_delay_v1")
    corrected = {(row["origin"], row["window_start"]) for row in rows
                 if row["window_kind"] == "tumbling 1 hour" and row["revision"] > 1}  # fmt: skip
    assert hours and hours == corrected
    second = demo(places)
    assert second.returncode == 0, second.stderr
    assert "Nothing new in the log" in second.stdout
    tables = first.stdout[first.stdout.index("Which days") :]
    assert tables in second.stdout
    landed = len(demo_flights.arrivals(demo_flights.table().head(FLIGHTS)))
    third, fourth = demo(places, "arrivals"), demo(places, "arrivals")
    assert f"{landed:,} records in 4 partitions" in third.stderr and "records" not in fourth.stderr
    assert sum(part.records for part in extents(str(tmp_path / "data" / "archive"), arrival.TOPIC)) == landed


def test_the_demo_does_not_fill_kafka(tmp_path: Path) -> None:
    places = tmp_path / "kafka.toml"
    lines = [*(f'{name} = "{name}"' for name in ("archive", "tables", "checkpoints")), 'log = "kafka"']
    places.write_text("\n".join([*lines, "[kafka]", 'servers = "127.0.0.1:1"']))
    done = demo(places)
    assert done.returncode == 1
    assert done.stderr.strip() == f"headrace: the demo fills the archive, and {places} has the log in kafka."
