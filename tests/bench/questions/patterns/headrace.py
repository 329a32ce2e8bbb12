"""headrace's side of the pattern."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from questions import login

from jobs import keeping
from jobs.answers.outcomes import Before, Outcomes
from jobs.answers.result import Late, Reads, Result
from jobs.run import Run, start


def transform(logins: DataFrame) -> DataFrame:
    """Who, when, which, and whether it failed."""
    is_failure = F.col("failed").alias("is_failure")
    is_login = (~F.col("failed")).alias("is_login")
    return logins.select("event_time", "record_partition", "record_offset", "user", "id", is_failure, is_login)


GUESSED = Outcomes(
    "is_login", ("user",), before=(Before("is_failure", within="10 minutes", times=3, since="is_login"),)
)
RESULT = Result("guessed_login_v1", Reads(login, transform), GUESSED, late=Late("30 seconds"), facts_for="1 minute")


def main(run: Run) -> None:
    """Bring the table up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
