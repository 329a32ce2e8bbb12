"""A real Debezium for tests: Kafka Connect with the connector for PostgreSQL, fetched as packages, started on this
machine between a database and a broker that already run.
"""

import json
import os
import signal
import subprocess
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import psycopg

from tests.cluster import broker as kafka
from tests.cluster.broker import Broker, fetched, free_port
from tests.cluster.postgres import DATABASE, REPLICATOR, REPLICATOR_PASSWORD, Postgres

VERSION = "3.4.0.Final"
LOG4J_VERSION = "2.25.3"
JARS = kafka.JARS.parent
MEMORY = ["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
UNWRAP = {
    "transforms": "unwrap",
    "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState",
    "transforms.unwrap.delete.tombstone.handling.mode": "rewrite",
    "transforms.unwrap.add.fields": "op,lsn,source.ts_ms",
}
"""Settings of a connector whose records are flat: the row, `__deleted`, and three fields about the change."""


def class_path() -> str:
    """Kafka Connect, and what writes its log."""
    connect = fetched(
        JARS / f"connect-{kafka.VERSION}", "org.apache.kafka", "connect-runtime", kafka.VERSION, "-confs", "default"
    )
    log = fetched(
        JARS / f"connect-log-{LOG4J_VERSION}",
        *("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J_VERSION, "-confs", "default"),
    )
    return f"{connect}/*:{log}/*"


def plugins() -> Path:
    """The folder that has the folder of the connector's jars."""
    folder = JARS / f"debezium-{VERSION}"
    fetched(folder / "postgres", "io.debezium", "debezium-connector-postgres", VERSION, "-confs", "default")
    return folder


def converters(schemas: bool) -> dict[str, str]:
    """Settings that make keys and values JSON, each with its schema or without."""
    json_converter = "org.apache.kafka.connect.json.JsonConverter"
    each = {part: json_converter for part in ("key.converter", "value.converter")}
    return each | {f"{part}.schemas.enable": str(schemas).lower() for part in each}


class Connector:
    """A connector in a Kafka Connect of its own. It reads `tables` of the publication `name`, which stands before it
    starts, through the slot `name`, and fills the topics `name.schema.table`, of one partition each.

    With `schemas` each record carries its schema, with `unwrap` it is flat. A row in the table `signals` asks for an
    incremental snapshot. `settings` are Debezium's, with _ for the dots.

    Unlike Debezium's defaults, a TRUNCATE becomes a record, and a lost connection is tried again after half a second.
    """

    def __init__(
        self,
        folder: Path,
        broker: Broker,
        postgres: Postgres,
        name: str,
        *tables: str,
        schemas: bool = False,
        unwrap: bool = False,
        signals: str | None = None,
        **settings: str,
    ) -> None:
        self.folder, self.name = folder, name
        self._postgres, self._signals = postgres, signals
        self._rest = f"http://127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)
        worker = {
            "bootstrap.servers": broker.servers,
            "offset.storage.file.filename": str(folder / "offsets"),
            "offset.flush.interval.ms": "500",
            "plugin.path": str(plugins()),
            "plugin.discovery": "service_load",
            "listeners": self._rest,
            **converters(schemas),
        }
        connector = {
            "name": name,
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
            "database.hostname": "127.0.0.1",
            "database.port": str(postgres.port),
            "database.user": REPLICATOR,
            "database.password": REPLICATOR_PASSWORD,
            "database.dbname": DATABASE,
            "plugin.name": "pgoutput",
            "publication.name": name,
            "publication.autocreate.mode": "disabled",
            "slot.name": name,
            "topic.prefix": name,
            "table.include.list": ",".join(tables),
            "topic.creation.default.replication.factor": "1",
            "topic.creation.default.partitions": "1",
            "poll.interval.ms": "50",
            "skipped.operations": "none",
            "retriable.restart.connector.wait.ms": "500",
            "slot.retry.delay.ms": "500",
            **(UNWRAP if unwrap else {}),
            **({"signal.enabled.channels": "source", "signal.data.collection": signals} if signals else {}),
            **{setting.replace("_", "."): value for setting, value in settings.items()},
        }
        for file, lines in (("connect", worker), ("connector", connector)):
            text = "".join(f"{setting}={value}\n" for setting, value in lines.items())
            (folder / f"{file}.properties").write_text(text)

    def start(self) -> "Connector":
        """Start it, and wait until it has taken its snapshot and streams."""
        command = ["java", *MEMORY, "-Dlog4j2.level=INFO", "-cp", class_path()]
        main = ["org.apache.kafka.connect.cli.ConnectStandalone", "connect.properties", "connector.properties"]
        with (self.folder / "out.log").open("ab") as out:
            self._process = subprocess.Popen(
                [*command, *main], cwd=self.folder, stdout=out, stderr=out, start_new_session=True
            )
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if self.is_streaming():
                return self
            assert self._process.poll() is None and "FAILED" not in self._state(), self.log()
            time.sleep(0.2)
        raise AssertionError(f"the connector did not stream in 120 seconds\n{self.log()}")

    def ask_for_snapshot(self, *tables: str) -> None:
        """Ask for an incremental snapshot of tables, by a row in the table of signals."""
        data = json.dumps({"data-collections": tables, "type": "incremental"})
        self._postgres.execute(f"INSERT INTO {self._signals} VALUES (gen_random_uuid(), 'execute-snapshot', '{data}')")

    def is_streaming(self) -> bool:
        """Whether it reads the changes of the database, its snapshot done. It does not while the database is down."""
        with suppress(psycopg.OperationalError):
            query = "SELECT active FROM pg_replication_slots WHERE slot_name = %s"
            return self._postgres.rows(query, self.name) == [(True,)]
        return False

    def _state(self) -> str:
        """What Kafka Connect says about the connector: empty as long as it says nothing."""
        with (
            suppress(OSError),
            urllib.request.urlopen(f"{self._rest}/connectors/{self.name}/status", timeout=5) as said,
        ):
            return " ".join(task["state"] for task in json.load(said)["tasks"])
        return ""

    def stop(self) -> None:
        """Stop it in order: it writes down how far it has read."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Stop it as a power cut would: what it has sent since it last wrote its offsets, it sends again."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        os.killpg(self._process.pid, how)
        self._process.wait(60)
        until = time.monotonic() + 60
        while self.is_streaming():  # the server has not noticed yet
            assert time.monotonic() < until
            time.sleep(0.05)

    def log(self) -> str:
        """The end of what Kafka Connect has written about itself."""
        return (self.folder / "out.log").read_text(errors="replace")[-4000:]
