"""What is wrong when memory comes to an end: in Python, or in Java, which ends then and answers nothing any more."""

import traceback

_GOES_ON = "lower max_records_per_batch in the job, and run again: it goes on where the tables stand."


def memory_fault(error: BaseException) -> str | None:
    """What happened and what to do; None if it was something else."""
    if isinstance(error, MemoryError):
        return f"Python ran out of memory. Give this machine or container more, or {_GOES_ON}"
    if _has_java_ended(error):
        return f"Java has ended, most often because it ran out of memory. Raise spark.driver.memory, or {_GOES_ON}"
    return None


def _has_java_ended(error: BaseException) -> bool:
    """Whether py4j, by which Python talks to Java, has lost the other side."""
    if type(error).__name__ == "Py4JNetworkError":
        return True
    frames = traceback.extract_tb(error.__traceback__)
    return isinstance(error, (ConnectionError, EOFError)) and any("py4j" in frame.filename for frame in frames)
