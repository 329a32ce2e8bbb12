"""headrace accuracy: published distinct counts against exact ones, worked out anew from the log."""

import math
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, JobFile, PlacesFile

if TYPE_CHECKING:
    from rich.console import Console

    from jobs.admin.exact_counts import SampledWindow

WORST = 5.0
"""Standard errors; by chance alone an estimate is further off once in two million times."""


def accuracy(
    name: Annotated[str, typer.Argument(help="Result with distinct counts, such as unique_aircraft_v1.")],
    windows: Annotated[int, typer.Option(min=1, help="Published windows to draw at random.")] = 20,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Draw the same windows again; else another each time.")
    ] = None,
    job: JobFile = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Check the distinct counts of a result against exact ones from the log, and against a second estimator.

    Groups, distinct values and event times are read from the topic's own columns, as they stand in the log: for a
    result whose transform makes or changes these columns, or leaves records out, there is no exact count, and the
    command refuses. Exit code 1 if an estimate is more than 5 standard errors off. Needs no Java.
    """
    import random

    from jobs.admin import exact_counts, terminal
    from jobs.admin.catalogue import find
    from jobs.log import schema_registry
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    home = read_places(places)
    result = find(name, job)
    exact_counts.check(result)
    schema_registry.connect(home, [result.topic])
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    sampled = exact_counts.sample(home, result, windows, random.Random(seed))
    exact_counts.count(home, result, sampled)
    console = terminal.console()
    assert result.panes
    worst = max(_report(console, column, sampled, result.panes.lg_k) for column in result.panes.uniques)
    console.print(f"{len(sampled)} windows of {name}, drawn with --seed {seed}")
    if worst > WORST:
        raise Refused(f"an estimate of {name} is {worst:.1f} standard errors off, more than {WORST:.0f}.")


def _report(console: "Console", column: str, windows: "list[SampledWindow]", lg_k: int) -> float:
    """Print what was found for one column; returns the largest error of Spark's estimates, in standard errors."""
    from rich.table import Table

    from jobs.admin.exact_counts import second_estimate
    from sketches.hyperloglog import standard_error

    first = standard_error(lg_k)
    second = standard_error(min(lg_k, 16))
    table = Table("window", "from (UTC)", "group", title=f"distinct {column}", title_justify="left")
    for heading in ("exact", "Spark's", "errors", "datasketch's", "errors"):
        table.add_column(heading, justify="right")
    errors: list[tuple[float, float]] = []
    for window in windows:
        truth, sparks = len(window.values[column]), window.estimates[column]
        theirs = second_estimate(window.values[column], lg_k)
        errors.append((_relative(sparks, truth), _relative(theirs, truth)))
        group = ", ".join(map(str, window.group)) or "-"
        numbers = (f"{sparks:,}", f"{errors[-1][0] / first:+.2f}", f"{theirs:,.1f}", f"{errors[-1][1] / second:+.2f}")
        table.add_row(window.window, f"{window.start:%Y-%m-%d %H:%M}", group, f"{truth:,}", *numbers)
    console.print(table)
    summary = Table("estimator", "root mean square error", "one standard error", "within 1", "within 2", "within 3")
    for estimator, bound, place in (("Spark", first, 0), ("datasketch", second, 1)):
        off = [pair[place] for pair in errors]
        mean = math.sqrt(sum(error**2 for error in off) / len(off))
        within = (f"{sum(abs(error) <= n * bound for error in off)} of {len(off)}" for n in (1, 2, 3))
        summary.add_row(estimator, f"{mean:.3%}", f"{bound:.3%}", *within)
    console.print(summary)
    return max(abs(sparks) for sparks, _ in errors) / first


def _relative(estimate: float, truth: int) -> float:
    if truth == 0:
        return 0.0 if round(estimate) == 0 else math.inf
    return (estimate - truth) / truth
