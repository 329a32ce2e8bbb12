"""Which records has Kafka had, also those that its retention has deleted since?

in    topics of Kafka, named as arguments
out   the archive (schemas/archive.py): each committed record once, under its own offset, with its headers and its
      timestamp. It is the other home of the log: `headrace replay` brings it back, jobs read it with log = "archive"
late  offsets order the records, times do not matter. What Kafka deleted before it was read stops the run; with
      --accept-loss the archive marks the gap
"""

from jobs import run
from jobs.log import home, kafka_to_archive


def main(job: run.Run) -> None:
    """Copy what is new in the topics."""
    kafka_to_archive.keep(job, home)


if __name__ == "__main__":
    run.job(main, topics=True)
