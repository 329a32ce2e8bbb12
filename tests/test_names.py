"""Names that are stored never change: the reference has every one that the code writes, and that 0.2.0 has written."""

import json
import re
import tarfile
from pathlib import Path

import pytest

from jobs.admin import remedies
from jobs.admin.reference.names import NAMES, REASONS
from jobs.answers import table_names
from jobs.keeping.definition import comparison
from jobs.keeping.steps import Kind, Step
from jobs.lake import pointers
from jobs.lake.pointers import SwitchKind
from jobs.log.archive import data_file
from schemas import ledger
from tests import delta
from tests.pages import ROOT

STEPS, KINDS, SWITCHES, METADATA, DEFINITION, MARKS, FILES = (names for _, names in NAMES.values())


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables and the log that version 0.2.0 made."""
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(ROOT / "tests" / "versions" / "0.2.0.tar.gz") as packed:
        packed.extractall(folder, filter="data")
    return folder


def actions(table: Path, kind: str) -> list[dict]:
    """The actions of one kind in a Delta log."""
    lines = [line for file in sorted((table / "_delta_log").glob("*.json")) for line in file.read_text().splitlines()]
    return [json.loads(line)[kind] for line in lines if kind in json.loads(line)]


def test_what_an_earlier_version_stored_is_in_the_reference(earlier: Path) -> None:
    tables = sorted((earlier / "tables").iterdir())
    commits = [json.loads(each["userMetadata"]) for table in tables for each in actions(table, "commitInfo")]
    assert len(commits) > 20
    assert {commit["step"] for commit in commits} <= STEPS.keys()
    assert {name for commit in commits for name in commit} <= METADATA.keys()
    rows = [row for table in tables if table.name.endswith("_ledger") for row in delta.rows(table)]
    assert {row["kind"] for row in rows} <= KINDS.keys()
    assert {name for row in rows for name, _ in row["definition"]} <= DEFINITION.keys()
    marks = [mark["appId"] for mark in actions(earlier / "archive", "txn")]
    assert marks and {mark.split(":")[0] for mark in marks} <= {mark.split(":")[0] for mark in MARKS}


def test_each_mark_that_the_code_spells_is_in_the_reference() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "jobs").rglob("*.py") if "reference" not in path.parts)
    spelled = set(re.findall(r'"([a-z_]+):\{topic\}', source))
    assert spelled == {mark.split(":")[0] for mark in MARKS if "TOPIC" in mark}


def test_constants_have_the_names_that_are_stored() -> None:
    assert {step.value for step in Step} <= STEPS.keys() and {kind.value for kind in Kind} == set(KINDS)
    assert {kind.value for kind in SwitchKind} == SWITCHES.keys() and pointers.TABLE in FILES
    assert data_file.COVERS == "headrace.covers" and comparison.COLUMNS == "columns"
    kinds = ["panes", "calendar_days", "spells", "deleted", "filters", "clocks", "stragglers", "quarantine"]
    assert table_names.all_tables("NAME") == ("NAME", *(f"NAME_{kind}" for kind in [*kinds, "feed", "ledger"]))
    assert set(table_names.all_tables("NAME")) - {"NAME"} <= FILES.keys()
    assert remedies.REMEDIES.keys() == REASONS.keys()


def test_the_kinds_of_rows_are_those_that_the_ledger_describes() -> None:
    described = ledger.COLUMNS["kind"].metadata["comment"]
    assert {part.split(":")[0].strip(" .") for part in described.split(";")} == KINDS.keys()
