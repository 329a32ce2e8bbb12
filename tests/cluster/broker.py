"""A real Kafka broker for tests: fetched as packages, started on this machine, stopped with everything it wrote."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pyspark
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

ROOT = Path(__file__).parent.parent.parent
VERSION = "4.2.0"
JARS = ROOT / ".jars" / f"broker-{VERSION}"
TOOLS = {
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
}
"""Commands of Kafka's, and the Java class of each."""
USER, PASSWORD = "reader", "c4nary-pa55word"
"""Who may log in on the secured listener, and read what an ACL allows."""
MEMORY = ["-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


def once(folder: Path, make: Callable[[], object]) -> Path:
    """A folder that `make` fills the first time; tests may run side by side."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            make()
            (folder / "ready").touch()
    return folder


def fetched(folder: Path, *wanted: str) -> Path:
    """A folder of jars, fetched with the Ivy that pyspark brings."""
    ivy = next((Path(pyspark.__file__).parent / "jars").glob("ivy-*.jar"))
    into = ["-retrieve", f"{folder}/[artifact]-[revision](-[classifier]).[ext]"]
    command = ["java", "-jar", str(ivy), "-dependency", *wanted, *into]
    return once(folder, lambda: subprocess.run(command, check=True, capture_output=True))


def jars() -> Path:
    """The folder of the broker's jars."""
    return fetched(JARS, "org.apache.kafka", "kafka_2.13", VERSION, "-confs", "default")


def tools(folder: Path) -> Path:
    """A folder with commands of Kafka's own, as its packages name them, for the PATH of a shell."""
    more = fetched(JARS.with_name(f"tools-{VERSION}"), "org.apache.kafka", "kafka-tools", VERSION, "-confs", "master")
    folder.mkdir()
    for name, main in TOOLS.items():
        (folder / name).write_text(f'#!/bin/sh\nexec java {" ".join(MEMORY)} -cp "{jars()}/*:{more}/*" {main} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def certificates() -> Path:
    """The folder of two keys for TLS on 127.0.0.1, each with its certificate as clients want it: `broker`, and
    `expired`. Made once, as Java takes seconds for each.
    """
    folder = JARS.with_name("broker-certificates")

    def make() -> None:
        for name, start, days in (("broker", "-1d", 3650), ("expired", "-3d", 1)):
            (folder / f"{name}.p12").unlink(missing_ok=True)  # half made
            store = ["-keystore", str(folder / f"{name}.p12"), "-storepass", "broker-keystore", "-alias", name]
            said = ["-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1", "-startdate", start, "-validity", str(days)]
            made = ["keytool", "-genkeypair", "-keyalg", "RSA", "-storetype", "PKCS12", *store, *said]
            subprocess.run(made, check=True, capture_output=True)
            out = ["keytool", "-exportcert", "-rfc", *store, "-file", str(folder / f"{name}.pem")]
            subprocess.run(out, check=True, capture_output=True)

    return once(folder, make)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Broker:
    """One broker that is its own controller (KRaft). `servers` speaks in the clear, `secured` over SASL and TLS,
    `expired` over TLS with a certificate that was good until the day before yesterday.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        control = free_port()
        self.servers, self.secured, self.expired = (f"127.0.0.1:{free_port()}" for _ in range(3))
        self.certificate = folder / "broker.pem"
        self._process: subprocess.Popen[bytes] | None = None
        self._admin: AdminClient | None = None
        folder.mkdir(parents=True)
        for file in certificates().glob("*.p*"):
            shutil.copy(file, folder)
        said = f"CLEAR://{self.servers},SECURED://{self.secured},EXPIRED://{self.expired}"
        login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        lines = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{control}",
            "listeners": f"{said},CONTROL://127.0.0.1:{control}",
            "advertised.listeners": said,
            "listener.security.protocol.map": "CLEAR:PLAINTEXT,SECURED:SASL_SSL,EXPIRED:SSL,CONTROL:PLAINTEXT",
            "inter.broker.listener.name": "CLEAR",
            "controller.listener.names": "CONTROL",
            "listener.name.secured.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.secured.plain.sasl.jaas.config": f'{login} user_{USER}="{PASSWORD}";',
            "ssl.keystore.location": str(folder / "broker.p12"),
            "ssl.keystore.password": "broker-keystore",
            "listener.name.expired.ssl.keystore.location": str(folder / "expired.p12"),
            "listener.name.expired.ssl.keystore.password": "broker-keystore",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "log.dirs": str(folder / "log"),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "1",
            "group.initial.rebalance.delay.ms": "0",
            "log.retention.check.interval.ms": "500",
            "log.initial.task.delay.ms": "500",
            "log.segment.delete.delay.ms": "0",
            "auto.create.topics.enable": "false",
            **settings,
        }
        (folder / "server.properties").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        self._run("kafka.tools.StorageTool", "format", "-t", uuid.uuid4().hex[:22], "-c", "server.properties").wait(60)

    def _run(self, main: str, *arguments: str) -> "subprocess.Popen[bytes]":
        with (self.folder / "out.log").open("ab") as out:
            command = ["java", *MEMORY, "-cp", f"{jars()}/*", main, *arguments]
            return subprocess.Popen(command, cwd=self.folder, stdout=out, stderr=out, start_new_session=True)

    def start(self) -> "Broker":
        """Start it, and wait until it answers."""
        self._process = self._run("kafka.Kafka", "server.properties")
        until = time.monotonic() + 90
        while time.monotonic() < until:
            try:
                self.admin().list_topics(timeout=2)
                return self
            except KafkaException:
                assert self._process.poll() is None, (self.folder / "out.log").read_text()[-2000:]
        raise AssertionError("the broker did not answer in 90 seconds")

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop it in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Stop it as a power cut would."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self.is_running:
            os.killpg(self._process.pid, how)
            self._process.wait(60)

    def admin(self) -> AdminClient:
        """A client that may do everything."""
        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self.servers, "log_level": 0})
        return self._admin
