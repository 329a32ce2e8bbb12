"""What a person can type: the commands of `headrace`, and the arguments of a job file."""

import argparse
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from jobs import run
from jobs.admin.headrace import app
from jobs.admin.reference.markdown import render_default, table

HEADS = ("", "default", "meaning")


def sections() -> Iterator[tuple[str, str]]:
    """Title and content of each section."""
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    intro = "Each command has `--help`. What a person can mend is one line and exit code 1.\n\n"
    yield "Commands", intro + "\n".join(_command(name, command) for name, command in commands.items())
    intro = "`spark-submit ... jobs/NAME.py` takes them. Exit codes are in [operate.md](operate.md).\n\n"
    actions = run.parser(topics=True)._actions  # argparse has no public way to ask
    yield "Arguments of a job", intro + table(HEADS, [_argument(action) for action in actions if action.dest != "help"])


def _command(name: str, command: Any) -> str:
    help_text = (command.help or "").strip()
    rows = [_parameter(parameter) for parameter in command.params if parameter.name != "help"]
    return f"### headrace {name}\n\n{help_text}\n\n{table(HEADS, rows)}"


def _parameter(parameter: Any) -> tuple[str, str, str]:
    if parameter.param_type_name == "argument":
        typed = parameter.name.upper()
    else:
        flag = getattr(parameter, "is_flag", False)
        typed = ", ".join(parameter.opts) + ("" if flag else f" {_metavar(parameter)}")
    return f"`{typed}`", _default(parameter), parameter.help or ""


def _metavar(parameter: Any) -> str:
    kind = parameter.type_descriptor.annotation
    if parameter.metavar:
        return str(parameter.metavar)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(choice.value) for choice in kind)
    return str(parameter.name).upper()


def _default(parameter: Any) -> str:
    if parameter.required:
        return "must be given"
    value = parameter.default
    if value is None or value is False:
        return ""
    return f"`{value.as_posix()}`" if isinstance(value, Path) else render_default(getattr(value, "value", value))


def _argument(action: argparse.Action) -> tuple[str, str, str]:
    if not action.option_strings:
        return f"`{action.dest.upper()}...`", "must be given", f"{action.help}; of `jobs/kafka_archive.py` alone"
    takes = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    default = "" if not action.default else f"`{action.default}`"
    return f"`{action.option_strings[0]}{takes}`", default, action.help or ""
