"""The job of outcome_age.py: was there a click of the same user within ten minutes of a search?"""

from dataclasses import replace

from questions.join.headrace import CLICKS, RESULT, SEARCHES

from jobs import keeping
from jobs.answers.outcomes import Outcomes, Then
from jobs.run import Run, start

CLICKED = Outcomes(SEARCHES.TOPIC, ("user",), (Then(CLICKS.TOPIC, "10 minutes", name="click"),))
PUBLISHED = replace(RESULT, name="clicked_v1", answers=CLICKED, publish_every="2 seconds")


def main(run: Run) -> None:
    """Answer what is in the log, and what comes."""
    keeping.keep(run, PUBLISHED)


if __name__ == "__main__":
    start(main)
