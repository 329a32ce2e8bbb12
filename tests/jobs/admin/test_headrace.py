"""The program itself, whatever the command."""

import tomllib

import pytest

from tests.jobs.admin import command
from tests.pages import ROOT


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert command.run("--version") == 0
    assert capsys.readouterr().out == f"headrace {declared}\n"


def test_help_is_asked_for_in_one_letter_of_the_program_and_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run("-h") == 0
    assert "produce" in capsys.readouterr().out
    assert command.run("produce", "-h") == 0
    assert "--keep-bad" in capsys.readouterr().out
