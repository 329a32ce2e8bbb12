"""Which messages about payments are the first ones, and which only repeat what was told?

in    topic payments (docs/gallery/schemas/payment.py), whose key is the id of the payment
out   table payment_once_v1: a row for each message, with `seen_before`: whether the payment was told already, within a
      week. Never wrongly false; wrongly true for 1 of 1,000 at most
late  a message that is more than LATENESS behind gets `seen_before` null: the filter that would know may be gone
"""

from pyspark.sql import DataFrame

from jobs import keeping
from jobs.answers.result import Late, Reads, Result
from jobs.decisions.membership import Membership
from jobs.run import Run, start
from schemas import payment

TOLD = Membership(horizon="7 days", bucket="1 day", expected_keys=10_000, false_positive_rate=0.001)
LATENESS = "1 day"


def transform(payments: DataFrame) -> DataFrame:
    """The amount of each message, and where it stands in the log."""
    place = ("record_partition", "record_offset", "record_key")
    return payments.select("event_time", *place, "payment", "amount_cents")


RESULT = Result("payment_once_v1", Reads(payment, transform, decide=TOLD), late=Late(LATENESS))


def main(run: Run) -> None:
    """Read the log, bring the table up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
