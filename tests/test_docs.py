"""The pages are true: the tutorial is followed word for word, links lead somewhere, the reference is the code's."""

import ast
import importlib
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from jobs import delay_passed_on, departure_delay, ground_stop, keeping, run, turnaround
from jobs.admin.commands.demo import QUESTIONS
from jobs.admin.reference.page import text as reference
from jobs.answers import outcomes, result, sequences, sessions, sliding, top, windows
from jobs.events.lateness_rule import LatenessRule
from jobs.events.stream_time import StreamTime
from jobs.facts.panes import Panes
from jobs.keeping import complete_time
from jobs.running.errors import Mistake
from schemas import departure
from tests import delta
from tests.pages import HOURS, PAGES, ROOT, TUTORIAL, anchors, blocks, hours, page, prose, section, shell

README_LINES = 160
ACTIVATE = "source .venv/bin/activate"
"""What the tutorial begins with, and the test does not need."""
FILES = ["trips.ndjson", "schemas/trip.py", "jobs/trip_duration.py"]
"""What the tutorial writes."""
EXAMPLES = ("schemas/customer.py", "jobs/customer.py", "schemas/advert.py", "schemas/search.py", "jobs/search_hit.py")
"""What readers of docs/changes.md and docs/rules.md write."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, without its tables."""
    copy = tmp_path / "project"
    for folder in ("jobs", "schemas", "sketches", "conf"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    (copy / ".jars").symlink_to(ROOT / ".jars")
    return copy


@pytest.mark.slow
def test_the_tutorial_does_what_it_says(project: Path, tmp_path: Path) -> None:
    """Each file is written, each command run; the numbers are those of the seven good trips, worked out by hand."""
    run = shell(project, tmp_path)
    output, files, lines = "", [], []
    whole, again = page(TUTORIAL).split("## Take it away again")
    for name, language, content in blocks(whole):
        if name:
            (project / name).write_text(content)
            files.append(name)
        elif language == "python":
            output = run(sys.executable, "-c", content)
        elif language == "text":
            assert output.split() == content.split()
        else:
            for line in content.splitlines():
                lines.append(line)
                if line != ACTIVATE:
                    output = run("bash", "-c", line)

    assert files == FILES
    assert [line.split()[0] for line in lines] == ["source", *["headrace"] * 6]
    tables = project / "data" / "tables"
    assert hours(tables / "trip_duration_v1") == HOURS
    [bad] = delta.rows(tables / "trip_duration_v1_quarantine")
    assert (bad["reason"], bad["field"], bad["key"]) == ("wrong_type", "duration_minutes", b"b9")
    assert "wrong_type" in output and "duration_minutes" in output
    check_late_trip(tables, output)
    promised = re.search(r"^trip_duration_v1: quarantine: (.|\n)+?^```$", page("docs/operate.md"), re.MULTILINE)
    shown = run("bash", "-c", "headrace quarantine trip_duration_v1")
    assert promised and set(re.findall(r"[\w:.-]+", promised[0])) <= set(re.findall(r"[\w:.-]+", shown))
    for line in [line for _, language, content in blocks(again) if language == "sh" for line in content.splitlines()]:
        output = run("bash", "-c", line)
    assert not [name for name in FILES if (project / name).exists()]
    assert not list(tables.iterdir())


def check_late_trip(tables: Path, status: str) -> None:
    """One trip stands behind a later one of its bicycle: 09:10 less 08:16, more than the job allows."""
    [batch] = [row for row in delta.rows(tables / "trip_duration_v1_ledger") if row["kind"] == "batch"]
    assert (batch["out_of_order"], batch["late"], batch["lateness_max_seconds"]) == (1, 1, 54 * 60)
    promised = re.search(r"^`(out of order [^`]+)`", page(TUTORIAL), re.MULTILINE)
    assert promised
    assert promised[1].split() == [word for word in find_line(status, "out of order").split() if word != "│"]


def find_line(output: str, word: str) -> str:
    [line] = [line for line in output.splitlines() if word in line]
    return line


def test_the_readme_is_a_page() -> None:
    assert len(page("README.md").splitlines()) <= README_LINES


def test_the_reference_is_what_the_code_says() -> None:
    """If not: make reference."""
    assert page("docs/reference.md") == reference()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_titles_that_there_are(path: Path) -> None:
    text = prose(path.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


def test_a_link_that_leads_nowhere_is_noticed() -> None:
    assert anchors("## 2. What they look like\n### Look at it: `status`\n") == {
        "2-what-they-look-like",
        "look-at-it-status",
    }
    assert "stream-time-and-lateness" in anchors(page("docs/concepts.md"))
    assert "no-such-title" not in anchors(page("docs/concepts.md"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_path_it_names_exists(path: Path) -> None:
    """Paths stand in backticks and begin with a folder of the project, or are a file of its root."""
    made = ("data/", "dist/", "docs/reference", ".venv", ".jars", "jobs/NAME.py", *FILES, *EXAMPLES)
    roots = ("jobs/", "schemas/", "sketches/", "conf/", "tests/", "notebooks/", "docs/", ".ci/")
    ends = ("Makefile", "LICENSE", "pyproject.toml")
    words = {
        word.split()[0] for word in re.findall(r"`([^`\n]+)`", prose(path.read_text(encoding="utf-8"))) if word.strip()
    }
    named = {word for word in words if word.startswith(roots) or word.endswith(ends)}
    if path.name == "CHANGELOG.md":
        return  # it names what there was
    assert not [name for name in named if not name.startswith(made) and not list(ROOT.glob(name))]


NAMES_OF_OTHERS = (
    "spark.",
    "connect.",
    "fs.",
    "io.delta.",
    "message.",
    "delete.",
    "headrace.",
    "os.",
    "pd.",
    "topic.",
    "decimal.",
    "schemas.",
    "binary.",
    "tombstones.",
    "publication.",
    "plugin.",
    "skipped.",
    "offset.",
    "provide.",
    "rows.",
    "outbox.",
    "source.",
    "io.debezium.",
    *("fetch.", "max.request.", "receive.", "send.", "request.", "socket.", "default.api.", "metric.", "sasl.", "ssl."),
    *("security.providers", "broker.address.", "https.", "queued.", "client.", "reconnect.", "group.", "isolation."),
    *("org.apache.kafka.", "google.protobuf.", "meta.at"),
)
"""Settings of Spark, Hadoop, Kafka and Delta, keys that are stored, a variable of examples: how they begin."""
FILE_ENDINGS = (
    ".py",
    ".md",
    ".toml",
    ".json",
    ".conf",
    ".ndjson",
    ".csv",
    ".tsv",
    ".gz",
    ".jsa",
    ".lock",
    ".zip",
    ".log",
    ".delivered",
)


def definitions(path: Path) -> Iterator[str]:
    """The module itself, and each name that it defines or passes on, as package.module.name; of a class its members."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    yield module
    yield from members(module, ast.parse(path.read_text(encoding="utf-8")).body)


def members(owner: str, body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield f"{owner}.{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from members(f"{owner}.{node.name}", node.body)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{owner}.{alias.asname or alias.name}" for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (
                f"{owner}.{name.id}" for each in targets for name in ast.walk(each) if isinstance(name, ast.Name)
            )


DEFINED = {
    f".{name}" for folder in ("jobs", "schemas", "sketches") for path in (ROOT / folder).rglob("*.py")
    for name in definitions(path)
}  # fmt: skip


def dotted(text: str) -> Iterator[str]:
    """Names such as module.function that stand in backticks, without what is in the brackets of a call."""
    for word in re.findall(r"`([^`\n]+)`", prose(text)):
        name = re.fullmatch(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?:\(.*\))?", word)
        if name and not name[1].startswith(NAMES_OF_OTHERS) and not name[1].endswith(FILE_ENDINGS):
            yield name[1]


def is_defined(name: str) -> bool:
    return any(known.endswith(f".{name}") for known in DEFINED)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_function_it_names_exists(path: Path) -> None:
    """They are named as module.function, or Class.method; the changelog names what there was, too."""
    text = path.read_text(encoding="utf-8")
    assert path.name == "CHANGELOG.md" or not [name for name in dotted(text) if not is_defined(name)]


def test_a_name_that_is_not_there_is_noticed() -> None:
    text = "`gate.decode`, `gate.slow(run)`, `jobs/run.py`, `spark.master` and `BatchWriter.write(batch)`"
    names = list(dotted(text))
    assert names == ["gate.decode", "gate.slow", "BatchWriter.write"]
    assert [is_defined(name) for name in names] == [True, False, True]
    assert len(list(dotted(page("docs/architecture.md")))) > 20


UPGRADE = [
    [re.sub(r"`([^`]+)`.*", r"\1", cell.strip()) for cell in line.strip("|").split(" | ")]
    for line in page("CHANGELOG.md").splitlines()
    if line.startswith("| `from ") and "import" in line
]
"""Imports of 0.2.0, and what is written now."""


@pytest.mark.parametrize(("old", "new"), UPGRADE, ids=lambda code: str(code).split()[1])
def test_an_old_import_is_refused_and_the_new_one_works(old: str, new: str) -> None:
    if old != "from jobs import run":  # which still is a module
        with pytest.raises(
            Mistake, match="has moved: .*" + re.escape(new.split()[1] if "import" in new else "keeping")
        ):
            exec(old)
    if "import" in new:
        exec(new)


def test_an_old_call_is_told_the_new_one() -> None:
    told: list[str] = []
    for code in ("run.job(None)", "keeping.keep(None, None, None)"):
        with pytest.raises(Mistake) as refused:
            eval(code, {"run": run, "keeping": keeping})
        told.append(str(refused.value))
    table = page("CHANGELOG.md")
    assert "start(main)" in told[0] and "| `run.job(main)` | `start(main)` |" in table
    assert told[1].endswith("keeping.keep(run, RESULT)") and "| `keeping.keep(run, RESULT)` |" in table
    with pytest.raises(Mistake, match=r"jobs/kafka_archive\.py"):
        importlib.import_module("jobs.archive")


def test_each_column_of_the_reference_has_a_meaning() -> None:
    rows = [line for line in section("docs/reference.md", "Tables").splitlines() if line.startswith("| `")]
    assert len(rows) > 80
    assert not [row for row in rows if not row.strip("| ").split(" | ", 2)[2:]]


JOBS_ROWS = [line.strip("|").split(" | ") for line in section("README.md", "The jobs").splitlines() if "`jobs/" in line]


@pytest.mark.parametrize("cells", JOBS_ROWS, ids=lambda cells: cells[0].strip(" `"))
def test_a_row_of_the_table_of_jobs_is_that_of_its_file(cells: list[str]) -> None:
    file, question, _, out, notebook = (cell.strip() for cell in cells)
    docstring = ast.get_docstring(ast.parse(page(file.strip("`")))) or ""
    assert question.endswith("?")
    assert words(question) <= words(docstring.splitlines()[0]), "another question"
    assert all(table in docstring for table in re.findall(r"table `(\w+)`", out))
    assert notebook == "none" or (ROOT / notebook.strip("`")).exists()


def words(sentence: str) -> set[str]:
    return set(re.findall(r"\w+", sentence.lower()))


def test_each_job_of_the_demo_has_a_row() -> None:
    shown = section("README.md", "The jobs")
    assert len(JOBS_ROWS) >= 4
    assert all(f"table `{name}`" in shown for name in QUESTIONS)


def test_the_answers_of_the_page_are_those_of_the_jobs() -> None:
    names: dict[str, object] = {}
    for module in (outcomes, sliding, sequences, sessions, result, turnaround):
        names |= vars(module)
    code = [content for _, language, content in blocks(page("docs/answers.md")) if language == "python"]
    assert len(code) == 7
    names |= vars(top) | vars(windows) | {"Panes": Panes, "departure": departure, "departures": turnaround.departures}
    for each in code:
        exec(each, names)
    assert (names["PASSED_ON"], names["PILES"]) == (delay_passed_on.PASSED_ON, ground_stop.PILES)
    assert names["BUSIEST"] == top.Top(10, item="destination", by="departures", each=("origin",))
    assert names["RESULT"] == turnaround.RESULT
    assert names["LATE"] == departure_delay.RESULT.late


def test_the_example_of_complete_time_is_what_the_engine_computes() -> None:
    text = section("docs/concepts.md", "Complete time, and what is final")
    first, second, more = (
        [_minutes(time) for time in re.findall(r"\d\d:\d\d", line)] for line in re.findall(r"event time (.*)", text)
    )
    promised = [_minutes(time) for time in re.findall(r"complete time +(\d\d:\d\d) ", text)]
    rule = LatenessRule(allowed_seconds=30 * 60)
    partitions = [StreamTime(None), StreamTime(None)]
    for partition, minutes in zip(partitions, (first, second), strict=True):
        partition.follow(np.arange(len(minutes)), np.array(minutes) * MINUTE)
    found = [_complete(partitions, rule)]
    behind = partitions[0].follow(np.arange(4, 6), np.array(more) * MINUTE)
    found.append(_complete(partitions, rule))
    assert found == promised == [8 * 60 + 40, 9 * 60 + 5]
    assert (behind[-1] // MINUTE, rule.is_late(behind, np.array(more) * MINUTE).tolist()) == (45, [False, True])
    assert "45 min, late" in text


MINUTE = 60 * 1_000_000
"""In microseconds."""


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _complete(partitions: list[StreamTime], rule: LatenessRule) -> int:
    """Complete time in minutes."""
    streams = {number: each.micros for number, each in enumerate(partitions) if each.micros is not None}
    micros = complete_time.micros([complete_time.Clock(streams, {}, None)], None, rule)
    assert micros is not None
    return micros // MINUTE


def test_the_job_file_of_the_readme_is_a_real_one() -> None:
    [(_, _, code)] = blocks(section("README.md", "A job file"))
    assert code in page("jobs/departure_delay.py")
    assert len(code.splitlines()) <= 25
