"""A result that differs from another in what it reads or keeps."""

from dataclasses import replace
from typing import Any

from jobs.answers.result import Result
from jobs.answers.windows import Windows

OF_READS = {"topic": "topic", "transform": "transform", "membership": "decide"}


def altered(result: Result, **changes: Any) -> Result:
    """`result` with another topic, transform, membership, panes, windows or allowed_lateness, or any of its fields."""
    of_reads = {field: changes.pop(name) for name, field in OF_READS.items() if name in changes}
    if of_reads:
        changes["reads"] = replace(result.all_reads[0], **of_reads)
    if "allowed_lateness" in changes:
        changes["late"] = replace(result.late, allowed=changes.pop("allowed_lateness"))
    if {"panes", "windows"} & changes.keys():
        panes, windows = changes.pop("panes", result.panes), changes.pop("windows", result.windows)
        changes["answers"] = Windows(panes, *windows) if panes else None
    return replace(result, **changes)
