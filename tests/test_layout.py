"""Imports point one way, names do not collide, and the engine knows nothing of anybody's topic."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("jobs", "schemas", "sketches")
SOURCES = sorted(path for package in OURS for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
JOBS = sorted(path for path in (ROOT / "jobs").glob("*.py") if path.stem not in ("run", "__init__"))
STDLIB = tuple(sorted(sys.stdlib_module_names))

ALLOWED = {
    "sketches": ("sketches", "numpy", "datasketch", "datasketches", *STDLIB),
    "schemas": ("pyspark.sql.types",),
    "jobs/transforms": (
        "schemas",
        "sketches",
        "jobs.transforms",
        "jobs.running.errors.Mistake",
        "pyspark",
        "numpy",
        "pyarrow",
        "datasketches",
        *STDLIB,
    ),
    "jobs/*.py": ("jobs.run", "jobs.sources", "jobs.transforms", "jobs.sinks", "schemas", "pyspark", *STDLIB),
}
NO_ACTIONS = ("collecting.collect",)
"""What is named as an action and is none."""
FORBIDDEN = {
    "jobs/sources": ("jobs.sinks", "jobs.admin"),
    "jobs/sinks": ("jobs.sources", "jobs.admin"),
    "jobs/run.py": ("jobs.sources", "jobs.sinks", "jobs.transforms", "jobs.admin", "schemas", "sketches"),
}


def imports(path: Path) -> Iterator[str]:
    """Every name that a file imports, as package.module.name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def files(part: str) -> list[Path]:
    if part == "jobs/*.py":
        return JOBS
    return [ROOT / part] if part.endswith(".py") else sorted((ROOT / part).rglob("*.py"))


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_only_what_it_may(part: str) -> None:
    assert files(part)
    wrong = [(p.name, name) for p in files(part) for name in imports(p) if not within(name, ALLOWED[part])]
    assert not wrong


@pytest.mark.parametrize("part", FORBIDDEN)
def test_a_part_does_not_import_what_it_may_not(part: str) -> None:
    assert files(part)
    assert not [(p.name, name) for p in files(part) for name in imports(p) if within(name, FORBIDDEN[part])]


def test_no_job_imports_another_and_nothing_imports_tests() -> None:
    jobs = tuple(f"jobs.{path.stem}" for path in JOBS)
    for path in SOURCES:
        never = ("tests",) if "admin" in path.parts else ("tests", *jobs)
        assert not [name for name in imports(path) if within(name, never)], path


def test_transforms_never_read_write_start_or_collect() -> None:
    """Nor does a job file, whose transform is one. `collecting.collect` is the name of a transform."""
    actions = {"read", "readStream", "write", "writeStream", "start", "toPandas", "toLocalIterator", "foreach"}
    for path in [*files("jobs/transforms"), *JOBS]:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Attribute):
                continue
            if ast.unparse(node) in NO_ACTIONS:
                continue
            assert node.attr not in {*actions, "collect"}, f"{path.name}:{node.lineno}: .{node.attr}"


def test_only_run_opens_a_session() -> None:
    for path in SOURCES:
        if path.name != "run.py":
            assert "SparkSession.builder" not in path.read_text(), path


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_a_job_has_a_name_of_its_own_and_says_what_it_does(path: Path) -> None:
    """Under spark-submit, jobs/ is the first place that Python looks for a module."""
    taken = {*sys.stdlib_module_names, *packages_distributions()} - set(OURS)
    assert path.stem not in taken
    assert path.stem not in OURS
    said = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert said.splitlines()[0].endswith("?"), "the first line is the question"
    for word in ("in", "out", "late"):
        assert re.search(rf"^{word} +\S", said, re.MULTILINE), f"no line for: {word}"
    assert f"jobs.{path.stem}" in {name for test in TESTS for name in imports(test)}, "no test runs it"


def test_folders_of_jobs_have_names_of_their_own() -> None:
    folders = {path.name for path in (ROOT / "jobs").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert not folders & {*sys.stdlib_module_names, *packages_distributions()}


def test_no_module_has_a_name_that_says_nothing() -> None:
    names = {path.stem for path in SOURCES} | {path.parent.name for path in SOURCES}
    assert not names & {"utils", "util", "common", "helpers", "helper", "base", "manager", "misc"}


def test_the_engine_knows_nothing_of_departures() -> None:
    words = re.compile("flight|departure|aircraft|airport|tail_number", re.IGNORECASE)
    for part in ("jobs/sources", "jobs/transforms", "jobs/sinks", "sketches", "jobs/run.py"):
        for path in files(part):
            found = [line for line in path.read_text().splitlines() if words.search(EXAMPLES.sub("", line))]
            assert not found, path


EXAMPLES = re.compile(r"(departure_delay_v1|schemas/departure\.py|in-flight|in_flight|_in_flight)")
"""Examples in docstrings, and another use of a word."""


def test_configuration_notebooks_and_tests_are_no_packages() -> None:
    for folder in ("conf", "notebooks", "tests"):
        assert not list((ROOT / folder).rglob("__init__.py"))


README_TESTS = ("tests.test_readme", "tests.cluster.test_kafka_commands.consumed")
"""What tests of the README share."""


def test_no_test_imports_from_a_file_of_tests() -> None:
    """What several tests need has a file of its own, which says what it is."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        shared = [name for name in imports(path) if re.search(r"^tests\.(.+\.)?test_", name)]
        assert not [name for name in shared if not within(name, README_TESTS)], path
        assert path.name.startswith("test_") or ast.get_docstring(ast.parse(path.read_text())), path


def test_every_package_says_what_it_is() -> None:
    for path in SOURCES:
        assert ast.get_docstring(ast.parse(path.read_text())), path
