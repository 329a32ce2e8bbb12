"""The places file: where the log, the tables and the checkpoints are, and whether every library can open them.

A variable of the environment comes before the file: HEADRACE_TABLES, HEADRACE_KAFKA__SERVERS.
"""

import difflib
import os
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from jobs.running import environment, project
from jobs.running.database_access import DatabasePlace
from jobs.running.delivery_access import DeliveryPlace
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka
from jobs.running.registry_access import SchemaRegistry

SCHEMES = ("s3", "gs", "abfss", "hdfs")
"""Schemes that Spark, deltalake and pyarrow all know."""

FOLDERS = ("archive", "tables", "checkpoints")
"""The fields that are paths."""

_CLOSED = re.compile(r"[\x00-\x1f\x7f\[\]^|\\#?]|%[0-9A-Fa-f]{2}")
"""What deltalake cannot open, or takes for something else: %41 for A. In folders whose names have # or ? it finds no
commits, so nothing could tell whether a step is written already.
"""

_TABLES: dict[str, type[BaseModel]] = {
    "kafka": Kafka,
    "schema_registry": SchemaRegistry,
    "deliveries": DeliveryPlace,
    "databases": DatabasePlace,
}
"""What stands in each table of a places file."""


class Places(BaseModel):
    """Where things are. Nothing here changes what numbers mean: that is written in the job file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    log: Literal["archive", "kafka"] = "archive"
    """The home of the log."""
    kafka: Kafka | None = None
    """How the broker is reached, if one is used."""
    schema_registry: SchemaRegistry | None = None
    """Where the schemas are of topics that are encoded by a registry: a table [schema_registry]."""
    deliveries: dict[str, DeliveryPlace] = {}
    """Where results deliver to: a table [deliveries.NAME] for each Webhook("NAME") and File("NAME")."""
    databases: dict[str, DatabasePlace] = {}
    """Where the databases are whose changes are read: a table [databases.NAME] for each, which `headrace verify` and
    `headrace doctor` may ask. NAME is the connector's topic.prefix."""
    archive: str
    """Delta table that holds the records of every topic."""
    tables: str
    """Folder of the results' tables."""
    checkpoints: str
    """Folder of the checkpoints: a cache that may be deleted."""

    @model_validator(mode="after")
    def _check_paths(self) -> "Places":
        if self.log == "kafka" and self.kafka is None:
            raise ValueError('log = "kafka" needs a table [kafka] with servers = "host:port"')
        for name in FOLDERS:
            flaw = None if "://" in getattr(self, name) else _flaw(getattr(self, name))
            if flaw:
                raise ValueError(f"{name} {flaw}")
        for name in ("archive", "tables"):
            scheme, there, _ = getattr(self, name).partition("://")
            if there and scheme not in SCHEMES:
                remedy = "a path that all machines mount, or " + ", ".join(f"{known}://" for known in SCHEMES)
                also = "; for Spark set spark.hadoop.fs.s3.impl, see docs/cluster.md" if scheme == "s3a" else ""
                raise ValueError(f"{name} is on {scheme}://, which not all that read it know: give {remedy}{also}")
        return self

    def table(self, name: str) -> str:
        """Path of the Delta table `name`."""
        return f"{self.tables}/{name}"


def read_places(path: Path) -> Places:
    """Read a places file, and what the environment says instead; relative paths start at the folder of the file. A
    project that has no conf/local.toml has its data in the folder data.

    Raises Refused when the file is not there, is not TOML, or has an unknown, missing or wrong field.
    """
    shown = str(path) if str(path).isprintable() else repr(str(path))
    is_absent = path == project.places_file() and not path.exists() and project.PLACES_VARIABLE not in os.environ
    source = project.default_file(project.PLACES.name) if is_absent else path
    try:
        raw = tomllib.loads(source.read_text(encoding="utf-8-sig"))
    except OSError as error:
        remedy = "Name one with --places."
        if "?" in shown and "PYSPARK_GATEWAY_PORT" in os.environ:
            remedy = "If a ? of it was a letter: start spark-submit with LC_ALL=C.UTF-8."
        raise Refused(f"cannot read the places file {shown}: {error.strerror}. {remedy}") from None
    except ValueError as error:
        raise Refused(f"{shown} is not TOML: {error}.") from None
    variables = environment.read(Places)
    raw = _merge(raw, variables)
    for name in FOLDERS:
        given = raw.get(name)
        if isinstance(given, str) and "\0" not in given and not re.match(r"[A-Za-z][\w+.-]*://", given):
            raw[name] = str((path.resolve().parent / given).resolve())
    try:
        return Places.model_validate(raw, context={"folder": path.resolve().parent})
    except ValidationError as error:
        source_names = f"{shown} and the environment" if variables else shown
        raise Refused(f"{source_names}: {'; '.join(_faults(error))}.") from None


def _faults(error: ValidationError) -> list[str]:
    """All that is wrong, fields that there are not first: one of them may be the one that is missing."""
    found = error.errors(include_input=False, include_url=False)
    found.sort(key=lambda each: each["type"] != "extra_forbidden")
    return [_fault(each["type"], each["loc"], each["msg"].removeprefix("Value error, ")) for each in found]


def _fault(kind: str, place: tuple[int | str, ...], message: str) -> str:
    where = ".".join(part if (part := str(each)).isprintable() else repr(part) for each in place)
    if kind == "missing":
        return f"{where} is missing"
    if kind != "extra_forbidden":
        return f"{where}{': ' if where else ''}{message}"
    model = Places if len(place) == 1 else _TABLES.get(str(place[0]))
    known = sorted(model.model_fields) if model else []
    near = difflib.get_close_matches(str(place[-1]), known, 1)
    advice = f", did you mean {near[0]}?" if near else f"; there are {', '.join(known)}" if known else ""
    return f"there is no field {where}{advice}"


def _merge(raw: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of both; those of `more` take the place of others."""
    for name, value in more.items():
        is_table = isinstance(value, dict) and isinstance(raw.get(name), dict)
        raw[name] = _merge(raw[name], value) if is_table else value
    return raw


def _flaw(path: str) -> str | None:
    """Why one of the libraries that open `path` cannot, and what to do; None if all can."""
    found = _CLOSED.search(path)
    if found:
        sign = found[0] if found[0].isprintable() else repr(found[0]).strip("'")
        return f"is {path!r}, and deltalake opens no path with {sign} in it: move it to a folder without"
    try:
        path.encode()
    except UnicodeEncodeError:
        return f"is {path!r}, whose name is not UTF-8: move it to a folder whose name is"
    if not path.isascii() and sys.getfilesystemencoding() != "utf-8":
        return f"is {path}, and Python takes file names for {sys.getfilesystemencoding()}: start it with LC_ALL=C.UTF-8"
    return None
