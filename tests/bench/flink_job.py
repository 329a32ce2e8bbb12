"""Flink as a contender: flink_sql.py in an environment of its own, with Java's defaults or with headrace's flags."""

from pathlib import Path

import pyspark
from bench_input import ROOT, Input

FOLDER = ROOT / ".flink"
SMALL = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx1g"
"""Java's flags in conf/spark-local.conf: one compiler, one collector, a heap of 1 GB."""
FROM_SPARK = ("hadoop-client-api", "hadoop-client-runtime", "zstd-jni")
"""Jars that pyspark has already. Without zstd-jni the connector retries a topic compressed with zstd for ever, and
says nothing.
"""


def missing() -> str | None:
    """Why it cannot take part, and what to do; None if it can."""
    if (FOLDER / "ready").exists():
        return None
    return f"Flink is not installed in {FOLDER.name}/: make flink installs it"


def jars() -> list[Path]:
    """Flink's connectors, and what they need."""
    spark = Path(pyspark.__file__).parent / "jars"
    return [*sorted((FOLDER / "jars").glob("*.jar")), *(next(spark.glob(f"{name}-[0-9]*.jar")) for name in FROM_SPARK)]


def python(java_flags: str, path: Path | None = None) -> list[str]:
    """Command line of the Python of Flink's environment, without arguments.

    `java_flags` is empty for Java's defaults; `path`: a folder whose modules it can import.
    """
    flags = [f"JAVA_TOOL_OPTIONS={java_flags}"] if java_flags else []
    modules = [f"PYTHONPATH={path}"] if path else []
    return ["env", "--unset=PYTHONPATH", *modules, *flags, str(FOLDER / "bin" / "python")]


def command(java_flags: str, log: Input, out: Path) -> list[str]:
    """Command line over the topic in Kafka; `java_flags` is empty for Java's defaults."""
    assert log.servers
    return [
        *(*python(java_flags), str(Path(__file__).with_name("flink_sql.py"))),
        *("--topic", log.topic, "--servers", log.servers, "--out", str(out), "--cores", str(log.cores)),
        *("--jars", *map(str, jars())),
    ]
