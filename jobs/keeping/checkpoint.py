"""Spark's checkpoint, read as a cache: does it stand where the ledger stands?"""

import json
from collections.abc import Mapping, Sequence

import pyarrow.fs as fs
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from jobs.keeping.ledger import Row
from jobs.running import jvm, storage


class Unreadable(Exception):
    """A file of the checkpoint is not there or not what Spark writes."""


def folder(checkpoints: str, name: str, generation: int) -> str:
    """Where the checkpoint of a generation is."""
    return f"{checkpoints}/{name}/generation-{generation:05d}"


def exists(spark: SparkSession | None, path: str) -> bool:
    """Whether there is such a file or folder. Here and below: without Spark, pyarrow looks."""
    if spark is None:
        system, place = storage.filesystem(path)
        return bool(system.get_file_info(place).type != fs.FileType.NotFound)
    return bool(jvm.file_system(spark, path).exists(jvm.hadoop_path(spark, path)))


def move_aside(spark: SparkSession, path: str) -> str:
    """Rename the folder to one that nothing reads; returns its new path."""
    number = 1
    while exists(spark, f"{path}.aside-{number}"):
        number += 1
    aside = jvm.hadoop_path(spark, f"{path}.aside-{number}")
    jvm.file_system(spark, path).rename(jvm.hadoop_path(spark, path), aside)
    return f"{path}.aside-{number}"


def end_offsets(spark: SparkSession | None, path: str, batch_id: int, source: int = 0) -> dict[int, int]:
    """By partition, the offset after the last record of a batch, as Spark planned it. `source`: the place of the topic
    among those that the result reads. Raises Unreadable.
    """
    return _offsets(spark, path, f"offsets/{batch_id}", 2 + source)


def first_offsets(spark: SparkSession | None, path: str, source: int = 0) -> dict[int, int] | None:
    """By partition, the offset at which the first batch starts, as Kafka's source has noted it; None if it has not, or
    if another source is read, which looks anew where to start. Raises Unreadable.
    """
    file = f"sources/{source}/0"
    return _offsets(spark, path, file, 1) if exists(spark, f"{path}/{file}") else None


def _offsets(spark: SparkSession | None, path: str, file: str, line: int) -> dict[int, int]:
    lines = _text(spark, f"{path}/{file}").splitlines()
    try:
        offsets = json.loads(lines[line])
        if len(offsets) == 1 and isinstance(next(iter(offsets.values())), dict):  # Kafka's: {"topic": {"0": 12}}
            offsets = next(iter(offsets.values()))
        return {int(partition): int(offset) for partition, offset in offsets.items()}
    except (IndexError, ValueError, AttributeError, TypeError):
        raise Unreadable(f"{file} is cut short or garbled") from None


def planned_offsets(spark: SparkSession, path: str, batch_id: int, sources: int = 1) -> list[dict[int, int]] | None:
    """For each source the end offsets of a batch that Spark has planned and will run; None if it has not planned it."""
    if not exists(spark, f"{path}/offsets/{batch_id}"):
        return None
    return [end_offsets(spark, path, batch_id, source) for source in range(sources)]


def disagreement(
    spark: SparkSession | None, path: str, last: Row, firsts: Sequence[Mapping[int, int]] | None = None
) -> str | None:
    """What is wrong with the checkpoint of the ledger's generation, in words; None if it may be used.

    `firsts`: for each topic, by partition, the earliest record that the log has; None if that is not known.
    """
    if not exists(spark, path):
        return None if last.batch_id < 0 else "is missing"
    try:
        planned, closed = _newest(spark, path, "offsets"), _newest(spark, path, "commits")
        read = [last.end_offsets, *(position.end_offsets for position in last.further_topics.values())]
        for source, ends in enumerate(read):
            begun = first_offsets(spark, path, source) if last.batch_id < 0 else None
            if begun and {**begun, **ends} != begun:
                return "begins elsewhere than the ledger ends"
            there = firsts[source] if firsts else {}
            if begun and any(offset < there.get(part, 0) for part, offset in begun.items()):
                return "begins with records that the log has no longer"
        if planned < 0 and last.batch_id < 0:
            return None
        if not exists(spark, f"{path}/metadata"):
            return "has lost its file metadata"
        json.loads(_text(spark, f"{path}/metadata"))
        if planned < last.batch_id or closed < last.batch_id - 1:
            return f"is older than the ledger: batch {planned}, the ledger has {last.batch_id}"
        if closed > last.batch_id or planned > last.batch_id + 1:
            return f"is ahead of the ledger: batch {max(closed, planned)}, the ledger has {last.batch_id}"
        for source, ends in enumerate(read):
            if last.batch_id >= 0 and end_offsets(spark, path, last.batch_id, source) != ends:
                return "is of another query: its offsets are not the ledger's"
            if planned > last.batch_id:
                end_offsets(spark, path, planned, source)
        if closed >= 0:
            _text(spark, f"{path}/commits/{closed}")
    except (Unreadable, ValueError) as error:
        return f"cannot be read: {error}"
    return None


def _newest(spark: SparkSession | None, path: str, log: str) -> int:
    if not exists(spark, f"{path}/{log}"):
        return -1
    if spark is None:
        system, place = storage.filesystem(f"{path}/{log}")
        names = [info.base_name for info in system.get_file_info(fs.FileSelector(place))]
    else:
        listed = jvm.file_system(spark, path).listStatus(jvm.hadoop_path(spark, f"{path}/{log}"))
        names = [status.getPath().getName() for status in listed]
    return max((int(name) for name in names if name.isdigit()), default=-1)


def _text(spark: SparkSession | None, path: str) -> str:
    text = (_read(path) if spark is None else _read_by_java(spark, path)).lstrip("\0")  # Kafka's begin with one
    if not text.startswith("v") and not text.startswith("{"):
        raise Unreadable(f"{'/'.join(path.split('/')[-2:])} is empty or garbled")
    return text


def _read(path: str) -> str:
    system, place = storage.filesystem(path)
    try:
        with system.open_input_file(place) as file:
            return bytes(file.read()).decode(errors="replace")
    except OSError as error:
        raise Unreadable(f"{'/'.join(path.split('/')[-2:])} ({type(error).__name__})") from None


def _read_by_java(spark: SparkSession, path: str) -> str:
    try:
        return jvm.read_text(spark, path)
    except Py4JJavaError as error:
        cause = error.java_exception.getClass().getSimpleName()
        raise Unreadable(f"{'/'.join(path.split('/')[-2:])} ({cause})") from None
