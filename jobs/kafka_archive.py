"""Which records has Kafka had, also those that its retention has deleted since?

in    topics of Kafka, named as arguments
out   the archive (schemas/archive.py): each committed record once, under its own offset, with its headers and its
      timestamp. It is the other home of the log: `headrace replay` brings it back, jobs read it with log = "archive"
late  offsets order the records, times do not matter. What Kafka deleted before it was read stops the run; with
      --accept-loss the archive marks the gap
"""

from jobs.log import kafka_to_archive
from jobs.run import Run, start


def main(run: Run) -> None:
    """Copy what is new in the topics."""
    kafka_to_archive.copy_topics(run)


if __name__ == "__main__":
    start(main, topics=True)
