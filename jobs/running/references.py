"""References to secrets, ${file:PATH:NAME} (a line of a properties file) and ${env:NAME}: files of settings have these,
and never a secret.
"""

import os
import re
from pathlib import Path

from pydantic import ValidationInfo

REFERENCE = re.compile(r"\$\{(?:env:(?P<variable>[A-Za-z_][A-Za-z0-9_]*)|file:(?P<path>[^:}]+):(?P<name>[^:}]+))\}")


def resolve_reference(reference: str | None) -> str:
    """The secret that a reference names. Raises OSError or KeyError, with the name of the file or variable alone."""
    found = REFERENCE.fullmatch(reference or "")
    if not found:
        raise KeyError("no reference")
    if found["variable"]:
        if found["variable"] not in os.environ:
            raise KeyError(f"the environment has no variable {found['variable']}")
        return os.environ[found["variable"]]
    for line in Path(found["path"]).read_text(encoding="utf-8").splitlines():
        name, sign, value = line.partition("=")
        if sign and name.strip() == found["name"]:
            return value.strip()
    raise KeyError(f"{found['path']} has no line {found['name']}=...")


def absolute_reference(secret: str, info: ValidationInfo) -> str:
    """The reference with the absolute path of its file. Raises ValueError if it is none."""
    if not REFERENCE.fullmatch(secret):
        raise ValueError("a secret does not belong into this file: give ${file:PATH:NAME} or ${env:NAME}")
    return absolute_references(secret, info)


def absolute_references(text: str, info: ValidationInfo) -> str:
    """The text, in which each reference has the absolute path of its file. Raises ValueError for a path that Kafka
    cannot read.
    """

    def absolute(found: re.Match[str]) -> str:
        if not found["path"]:
            return found[0]
        path = below(info, found["path"])
        if re.search("[:}]", path):
            raise ValueError(f"the path {path!r} has a colon or a brace, and Kafka ends it there: move it elsewhere")
        return f"${{file:{path}:{found['name']}}}"

    return REFERENCE.sub(absolute, text)


def below(info: ValidationInfo, path: str) -> str:
    """The path from the folder of the file of settings."""
    folder = (info.context or {}).get("folder", ".")
    return str((Path(folder) / path).resolve())
