"""A result is kept up to date: batches, ledger, recovery. `keep` is what a job file calls."""

from typing import TYPE_CHECKING

from jobs.running.errors import Mistake

if TYPE_CHECKING:
    from jobs.answers.result import Result
    from jobs.keeping.ledger import Row
    from jobs.run import Run


def keep(run: "Run", result: "Result", *more: object) -> "Row":
    """Bring `result` up to date with the log, or keep it up to date if the run is continuous; returns its ledger's last
    row. Raises Refused when the log or the tables are not as they must be, Mistake for more arguments than these.
    """
    if more:
        raise Mistake("keeping.keep takes the run and the result, and opens the log itself: keeping.keep(run, RESULT)")
    from jobs.keeping import microbatch  # what a batch needs is heavy, and whoever reads a ledger needs none of it

    return microbatch.keep(run, result)
