"""The notebooks run from top to bottom, and define nothing. What is read from tables of the demo is stored without
outputs; what makes its own data is stored with them.
"""

import ast
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
import pyarrow as pa
import pytest
from nbclient import NotebookClient

from jobs import departure_delay, first_sighting, unique_aircraft
from jobs.log.archive import writer
from jobs.run import Run
from jobs.running.places import Places

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TABLES = ROOT / "notebooks" / "03_tables.ipynb"
"""Makes its own data, so that whoever looks at it sees what came of them."""
OF_THE_DEMO = [path for path in NOTEBOOKS if path != TABLES]
assert OF_THE_DEMO, "else the tests of each notebook would test none"
START = datetime(2024, 3, 4, 10, tzinfo=UTC)
ORIGINS = ("EWR", "JFK", "LGA")


def departure(number: int) -> dict[str, Any]:
    """Departure `number`: one every eight minutes for two days and a half, each forty-first seven hours late."""
    scheduled = START + timedelta(minutes=8 * number)
    delay = 420 if number % 41 == 40 else number % 30 - 5
    return {
        "scheduled_departure_time": f"{scheduled:%Y-%m-%dT%H:%M:%SZ}",
        "departure_time": scheduled + timedelta(minutes=delay),
        "origin": ORIGINS[number % 3],
        "destination": "BOS",
        "carrier": "XX",
        "flight": number,
        "tail_number": f"N{number % 47}",
        "delay_minutes": delay,
        "distance_miles": 187.0,
    }


def append(places: Places, departures: list[dict[str, Any]]) -> None:
    """In the order in which they left, as `headrace produce` does."""
    left = sorted(departures, key=lambda one: one["departure_time"])
    values = [{name: value for name, value in one.items() if name != "departure_time"} for one in left]
    columns = {
        "key": pa.array([one["tail_number"].encode() for one in left], pa.binary()),
        "value": pa.array([json.dumps(value).encode() for value in values], pa.binary()),
        "timestamp": pa.array([one["departure_time"] for one in left], pa.timestamp("us", "UTC")),
    }
    writer.append(places.archive, "departures", 2, [pa.record_batch(columns)])


@pytest.fixture
def made(a_run: Callable[..., Run], places: Places, tmp_path: Path) -> Path:
    """A places file: the three results of 450 departures, the last 150 of which came after the first publishing."""
    departures = sorted(map(departure, range(450)), key=lambda one: one["departure_time"])
    append(places, departures[:300])
    departure_delay.main(a_run())
    append(places, departures[300:])
    for job in (departure_delay, unique_aircraft, first_sighting):
        job.main(a_run())
    file = tmp_path / "places.toml"
    file.write_text("".join(f'{name} = "{getattr(places, name)}"\n' for name in ("archive", "tables", "checkpoints")))
    return file


def sources(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_defines_nothing_and_only_its_own_data_are_stored(path: Path) -> None:
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    assert book.metadata.kernelspec.name == "python3"
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    for cell in (cell for cell in book.cells if cell.cell_type == "code"):
        assert not [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, definitions)], cell.source
        assert path == TABLES or (not cell.outputs and cell.execution_count is None)


@pytest.mark.slow
@pytest.mark.parametrize("path", OF_THE_DEMO, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_PLACES", str(made))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    book = nbformat.read(path, as_version=4)
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    charts = [output for output in outputs if "vegaEmbed" in output.get("data", {}).get("text/html", "")]
    assert len(charts) == sum("alt.Chart" in source for source in sources(path))
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    # Every aircraft leaves from each airport, for 47 shares no factor with 3.
    assert "sum of the airports' unions: 141" in printed
    assert "No window was corrected" not in printed


def printed_text(book: Any) -> list[str]:
    """What each cell prints."""
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    return ["".join(output.text for output in cell.outputs if output.get("name") == "stdout") for cell in code]


@pytest.mark.slow
def test_the_notebook_of_tables_runs_and_is_stored_as_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    stored, book = (nbformat.read(TABLES, as_version=4) for _ in range(2))
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(TABLES.parent)}}).execute()
    for each in (stored, book):
        outputs = [output for cell in each.cells for output in cell.get("outputs", [])]
        assert not [output for output in outputs if output.output_type == "error"]
        charts = [output for output in outputs if "image/png" in output.get("data", {})]
        assert len(charts) == sum("alt.Chart" in source for source in sources(TABLES))
    assert printed_text(book) == printed_text(stored)
    printed = "".join(printed_text(book))
    # Six departures, one every ten minutes, are of the hour that is corrected; two flights leave a board of ten.
    for line in ("one after another: [182, 150, 162]", "would be restated: 6", "weather is another one: 6",
                 "came: ['XX 10 2013-07-01', 'XX 11 2013-07-01']", "the board is what PostgreSQL says"):  # fmt: skip
        assert line in printed
