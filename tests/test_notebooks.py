"""The notebooks run from top to bottom, define nothing, and are stored as they run; charts need no network."""

import ast
import json
import re
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
OF_THE_DEMO = ROOT / "notebooks" / "01_rolling_averages.ipynb"
"""Reads the tables of the demo."""
OF_THEIR_OWN = [path for path in NOTEBOOKS if path != OF_THE_DEMO]
"""Make their own data, so they print the same wherever they run."""
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


def code(book: Any) -> list[Any]:
    return [cell for cell in book.cells if cell.cell_type == "code"]


def outputs(book: Any) -> list[Any]:
    return [output for cell in code(book) for output in cell.outputs]


def check_outputs(book: Any) -> None:
    """No error, and a picture for each cell that makes charts."""
    assert not [output for output in outputs(book) if output.output_type == "error"]
    charts = [output for output in outputs(book) if "image/png" in output.get("data", {})]
    assert len(charts) == sum("alt.Chart" in cell.source for cell in code(book)) > 1


def printed_text(book: Any) -> list[str]:
    """What each cell prints."""
    return ["".join(output.text for output in cell.outputs if output.get("name") == "stdout") for cell in code(book)]


def execute(book: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(ROOT / "notebooks")}}).execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_defines_nothing_and_is_stored_as_it_ran(path: Path) -> None:
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    assert book.metadata.kernelspec.name == "python3"
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    for cell in code(book):
        assert not [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, definitions)], cell.source
    assert [cell.execution_count for cell in code(book)] == list(range(1, len(code(book)) + 1))
    check_outputs(book)


@pytest.mark.slow
def test_the_notebook_of_the_demo_runs(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_PLACES", str(made))
    book = nbformat.read(OF_THE_DEMO, as_version=4)
    assert f"{328_521}" in str(outputs(book)[0]), "it is not stored as it runs after make demo"
    execute(book, monkeypatch)
    check_outputs(book)
    # Every aircraft leaves from each airport, for 47 shares no factor with 3.
    assert "sum of the airports' unions: 141" in "".join(printed_text(book))


@pytest.mark.slow
def test_the_other_notebooks_print_what_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other in one process: Java starts once."""
    stored = [nbformat.read(path, as_version=4) for path in OF_THEIR_OWN]
    whole = nbformat.v4.new_notebook(metadata=stored[0].metadata)
    books = [nbformat.read(path, as_version=4) for path in OF_THEIR_OWN]
    whole.cells = [cell for book in books for cell in book.cells]
    for number, cell in enumerate(whole.cells):
        cell.id = f"cell-{number}"
    execute(whole, monkeypatch)
    for book in books:
        check_outputs(book)
    assert [printed_text(book) for book in books] == [printed_text(book) for book in stored]
    printed = "".join(line for book in books for line in printed_text(book))
    # Six departures, one every ten minutes, are of the hour that is corrected; two flights leave a board of ten.
    for line in ("one after another: [182, 150, 162]", "would be restated: 6", "weather is another one: 6",
                 "came: ['XX 10 2013-07-01', 'XX 11 2013-07-01']", "the board is what PostgreSQL says",
                 "with a straggler in each: True"):  # fmt: skip
        assert line in printed
    check_numbers_told_twice(printed)


def check_numbers_told_twice(printed: str) -> None:
    """What pandas finds, or another table has, is what the result says."""
    pairs = {
        "pandas: out of order (.*)": "ledger: out of order (.*)",
        r"hits: (\d+)": r"in the table of rules: (\d+)",
    }
    for one, other in pairs.items():
        assert re.findall(one, printed) == re.findall(other, printed) != []
