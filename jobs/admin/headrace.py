"""The program `headrace`: COMMANDS lists its commands, each of which is a file of jobs/admin/commands.

A command imports what is heavy when it runs, so that the help comes at once.
"""

import io
import os
import sys
from importlib import import_module
from typing import Annotated

import typer

from jobs.running import diagnostics

COMMANDS = (
    *("jars", "demo", "new", "check", "run"),
    *("produce", "log", "read", "audit", "lateness", "replay", "retain", "compact"),
    *("status", "doctor", "ui", "metrics", "quarantine", "query", "views", "drift", "accuracy", "verify", "rules"),
    *("requeue", "complete", "restate", "backtest"),
    *("compare", "promote", "rollback", "retire"),
)
"""The commands in the order of the help. Each is the function of this name in the file of this name."""

app = typer.Typer(
    help="Microbatch stream analytics: fill and look at the log, see how far and how right results are.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        typer.echo(f"headrace {version('headrace')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options that stand before the command; the help of the program is that of `app`."""


for name in COMMANDS:
    app.command()(getattr(import_module(f"jobs.admin.commands.{name}"), name))


def main(arguments: list[str] | None = None) -> None:
    """Run a command with the process's arguments. What a person can mend is one line and exit code 1."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for names that the terminal's encoding does not have
    try:
        app(arguments)
    except BrokenPipeError:
        # Whoever read the output has gone: nothing more to say, not even when Python closes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        line = _line(error)
        if line is None:
            raise
        diagnostics.complain(line)
        sys.exit(1)


def _line(error: Exception) -> str | None:
    """The message of an error that is not the program's own fault; None if it is."""
    from deltalake.exceptions import DeltaError

    from jobs.log.archive.data_file import ArchiveError
    from jobs.running import mistakes
    from jobs.running.errors import Refused, explain

    if isinstance(error, Refused | ArchiveError) or mistakes.is_the_engines_own(error):
        return explain(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if isinstance(error, OSError | DeltaError):
        return " ".join(str(error).split())
    return None
