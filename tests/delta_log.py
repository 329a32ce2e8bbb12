"""Delta's log as it stands on disk: plain JSON, read with nothing of what has written it."""

import json
from pathlib import Path
from typing import Any


def commits(table: Path) -> list[list[dict[str, Any]]]:
    """The actions of each commit, oldest first; none of them may have been cleaned up."""
    files = sorted((table / "_delta_log").glob("*.json"))
    return [[json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] for file in files]


def metadata(table: Path) -> list[dict[str, Any]]:
    """What each commit says in its userMetadata; {} where it says nothing."""
    infos = [[one["commitInfo"] for one in actions if "commitInfo" in one] for actions in commits(table)]
    return [json.loads((info[0].get("userMetadata") if info else None) or "{}") for info in infos]


def transactions(table: Path) -> list[dict[str, int]]:
    """The marks that each commit sets: {application id: version}."""
    return [
        {one["txn"]["appId"]: one["txn"]["version"] for one in actions if "txn" in one} for actions in commits(table)
    ]


def definition(table: Path) -> dict[str, Any]:
    """The table as its last `metaData` action describes it."""
    found = [one["metaData"] for actions in commits(table) for one in actions if "metaData" in one]
    last: dict[str, Any] = found[-1]
    return last


def columns(table: Path) -> dict[str, str]:
    """The type of each column, in their order."""
    return {field["name"]: _words(field["type"]) for field in json.loads(definition(table)["schemaString"])["fields"]}


def _words(kind: Any) -> str:
    if isinstance(kind, str):
        return kind
    if kind["type"] == "struct":
        return "struct<" + ", ".join(f"{field['name']} {_words(field['type'])}" for field in kind["fields"]) + ">"
    if kind["type"] == "array":
        return f"array<{_words(kind['elementType'])}>"
    return f"map<{_words(kind['keyType'])}, {_words(kind['valueType'])}>"
