"""How commands print: tables as wide as the terminal, messages between words, nothing that could steer a terminal."""

import sys

from rich.console import Console

WIDTH = 200
"""Columns of the output when it goes to no terminal."""


def console() -> Console:
    """Standard output, without any markup of its own."""
    return Console(
        markup=False, highlight=False, emoji=False, width=None if sys.stdout.isatty() else WIDTH, soft_wrap=False
    )


def say(out: Console, line: str) -> None:
    """A line; on a terminal it is broken between words."""
    out.print(printable(line), soft_wrap=not out.is_terminal)


def announce(line: str) -> None:
    """A line on standard error about something that may take seconds."""
    print(f"{line} ...", file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """`text` with an escape for each character that is not printed, such as \\x1b."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
