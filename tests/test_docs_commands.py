"""Each headrace command that a page, or a message, tells people to type is one that there is."""

import re
import shlex
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import typer

import schemas
from jobs import run
from jobs.admin.headrace import COMMANDS, app
from jobs.log.archive import writer
from jobs.log.archive.snapshot import records
from tests.jobs.admin import command
from tests.pages import PAGES, ROOT, commands, section

NAMES = set(COMMANDS)
TEXTS = [path.read_text(encoding="utf-8") for path in PAGES if path.name != "CHANGELOG.md"]
FENCED = [line for text in TEXTS for line in commands(text) if line.startswith("headrace ")]
INLINE = sorted({" ".join(words.split()) for text in TEXTS for words in re.findall(r"`(headrace\s[^`]+)`", text)})


def there(name: str) -> Any:
    """The command of this name."""
    return typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]


def typed(line: str) -> None:
    """Raises what the command says of arguments that it does not take; neither the command nor what it is piped into
    runs.
    """
    name, *arguments = shlex.split(line.partition(" | ")[0])[1:]
    there(name).make_context(name, arguments)


@pytest.mark.parametrize("line", FENCED)
def test_a_line_can_be_typed(line: str) -> None:
    typed(line)


@pytest.mark.parametrize("line", INLINE)
def test_a_command_in_the_text_can_be_typed(line: str) -> None:
    """With all its arguments; or it is the name of the command alone, or with that of an option."""
    _, name, *arguments = line.split()
    assert name in NAMES
    if any(not word.startswith("--") for word in arguments):
        typed(line)
    assert {word for word in arguments if word.startswith("--")} <= {
        option for each in there(name).params for option in each.opts
    }


def test_make_can_do_what_the_pages_say() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for text in TEXTS for name in re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)}
    assert {"demo", "test", "reference"} <= named <= targets


def test_options_that_are_not_there_are_noticed() -> None:
    assert len(FENCED) > 10 and len(INLINE) > 10
    with pytest.raises(Exception, match="No such option"):
        typed("headrace log trips --no-such-option")
    with pytest.raises(Exception, match="Missing parameter: topic"):
        typed("headrace read")


def test_messages_name_commands_that_there_are() -> None:
    said = {
        (path.name, name)
        for path in (ROOT / "jobs").rglob("*.py")
        for name in re.findall(r"(?:`|: )headrace ([a-z]+)", path.read_text())
    }
    assert len(said) > 5
    assert {name for _, name in said} <= NAMES, said


@pytest.fixture
def laptop(tmp_path: Path, places: run.Places, monkeypatch: pytest.MonkeyPatch) -> Iterator[run.Places]:
    """A current directory with conf/local.toml, and schemas/ with the topic that the page compacts."""
    (tmp_path / "conf").mkdir()
    lines = (f'{name} = "{getattr(places, name)}"' for name in ("archive", "tables", "checkpoints"))
    (tmp_path / "conf" / "local.toml").write_text("\n".join(lines))
    (tmp_path / "more_schemas").mkdir()
    (tmp_path / "more_schemas" / "profile.py").write_text('TOPIC = "profiles"\nCOMPACTED = True\n')
    monkeypatch.setattr(schemas, "__path__", [*schemas.__path__, str(tmp_path / "more_schemas")])
    monkeypatch.chdir(tmp_path)
    yield places
    sys.modules.pop("schemas.profile", None)


def test_the_lines_about_retention_and_compaction_do_what_they_say(laptop: run.Places) -> None:
    days = {"departures": [50, 31, 29, 0], "profiles": [50, 31, 29, 0]}
    for topic, ages in days.items():
        columns = {
            "key": pa.array([b"a", b"b", b"a", b"c"], pa.binary()),
            "value": pa.array([b"v"] * 4, pa.binary()),
            "timestamp": pa.array([datetime.now(UTC) - timedelta(days=age) for age in ages], pa.timestamp("us", "UTC")),
        }
        writer.append(laptop.archive, topic, 1, [pa.record_batch(columns)])
    left = []
    for line in commands(section("docs/operate.md", "Retention and compaction")):
        _, name, topic, *options = shlex.split(line)
        assert command.run(name, topic, *options) == 0
        left.append((name, records(laptop.archive, topic, 0, 0, 10)["offset"].to_pylist()))
    assert left == [
        ("retain", [0, 1, 2, 3]),  # a dry run
        ("retain", [2, 3]),  # older than 30 days
        ("compact", [0, 1, 2, 3]),
        ("compact", [1, 2, 3]),  # a has come again
    ]
