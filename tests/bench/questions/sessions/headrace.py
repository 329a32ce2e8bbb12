"""headrace's side of the sessions."""

from pyspark.sql import DataFrame
from questions import login

from jobs import keeping
from jobs.answers.result import Late, Reads, Result
from jobs.answers.sessions import Sessions
from jobs.run import Run, start


def transform(logins: DataFrame) -> DataFrame:
    """Who, when, and whether it failed."""
    return logins.select("event_time", "user", "failed")


SESSIONS = Sessions(by=("user",), gap="5 minutes", counts=("failed",))
RESULT = Result("login_session_v1", Reads(login, transform), SESSIONS, late=Late("30 seconds"))


def main(run: Run) -> None:
    """Bring the sessions up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
