"""Something shown again and again, until Ctrl-C."""

import time
from collections.abc import Callable

from rich.console import Console, RenderableType
from rich.live import Live


def repeat(show: Callable[[], RenderableType], every_seconds: float, out: Console) -> None:
    """On a terminal each time in place of the last one; else one below the other. Ctrl-C ends it in one line."""
    try:
        if out.is_terminal:
            with Live(console=out, auto_refresh=False, vertical_overflow="ellipsis") as live:
                while True:
                    live.update(show(), refresh=True)
                    time.sleep(every_seconds)
        while True:
            out.print(show())
            time.sleep(every_seconds)
    except KeyboardInterrupt:
        out.print("stopped watching")
