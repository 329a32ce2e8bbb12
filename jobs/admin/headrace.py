"""The command `headrace`: each command is a file of this folder; here they are only wired together.

A command imports what is heavy when it runs, so that the help comes at once.
"""

import io
import os
import sys

import typer

from jobs.admin.commands.accuracy import accuracy
from jobs.admin.commands.audit import audit
from jobs.admin.commands.compact import compact
from jobs.admin.commands.demo import demo
from jobs.admin.commands.doctor import doctor
from jobs.admin.commands.log import log
from jobs.admin.commands.produce import produce
from jobs.admin.commands.read import read
from jobs.admin.commands.replay import replay
from jobs.admin.commands.requeue import requeue
from jobs.admin.commands.retain import retain
from jobs.admin.commands.status import status

app = typer.Typer(
    help="Microbatch stream analytics: fill and look at the log, see how far and how right results are.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
COMMANDS = (demo, produce, log, read, audit, replay, retain, compact, status, doctor, accuracy, requeue)
for command in COMMANDS:
    app.command()(command)


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
        print(f"headrace: {line}", file=sys.stderr)
        sys.exit(1)


def _line(error: Exception) -> str | None:
    """What to say of an error that is not the program's own fault; None if it is."""
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
