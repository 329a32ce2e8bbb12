"""The Java process behind a session: its settings, its errors, and the files that it and its Hadoop open.

Private attributes of pyspark (`_jvm`, `_jsc`, `_gateway`) and of Spark's SparkEnv, tried with pyspark 4.2.0. They are
not there under Spark Connect.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from subprocess import Popen

    from pyspark.sql import SparkSession


def process(spark: "SparkSession") -> "Popen[bytes]":
    """The process of Java, if this one has started it."""
    java: Popen[bytes] = spark.sparkContext._gateway.proc  # type: ignore[union-attr]
    return java


class _SignalHandler:
    """A sun.misc.SignalHandler of Java's."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act

    def handle(self, _signal: Any) -> None:
        self._act()

    class Java:
        implements: ClassVar = ["sun.misc.SignalHandler"]


def hand_over_signals(spark: "SparkSession", act_on_sigterm: Callable[[], None]) -> None:
    """Let Java live on when it gets a signal: SIGINT it ignores, as a terminal sends that to Python, too; for SIGTERM
    Python acts, which may not have got it: a scheduler sends it to spark-submit, which is Java.
    """
    from py4j.protocol import Py4JJavaError
    from pyspark.java_gateway import ensure_callback_server_started

    misc = _java(spark).sun.misc
    ensure_callback_server_started(spark.sparkContext._gateway)  # type: ignore[no-untyped-call]
    with suppress(Py4JJavaError):  # Java was started with -Xrs, and leaves signals to the system
        misc.Signal.handle(misc.Signal("INT"), misc.SignalHandler.SIG_IGN)
        misc.Signal.handle(misc.Signal("TERM"), _SignalHandler(act_on_sigterm))


def pin_locale(spark: "SparkSession") -> None:
    """Set Java's locale to that of the United States and its time zone to UTC, whatever its options were.

    In other locales Delta would look for files whose names have other digits.
    """
    util = _java(spark).java.util
    util.Locale.setDefault(util.Locale.US)
    util.TimeZone.setDefault(util.TimeZone.getTimeZone("UTC"))


def system_property(spark: "SparkSession", name: str) -> str:
    """A property of Java's, such as sun.jnu.encoding; "None" if it is not set."""
    return str(_java(spark).java.lang.System.getProperty(name))


def set_system_property(spark: "SparkSession", name: str, value: str) -> None:
    """Set a property of Java's for the rest of its life."""
    _java(spark).java.lang.System.setProperty(name, value)


def default_file_system(spark: "SparkSession") -> str:
    """The address of the file system that a path without a scheme is on."""
    return str(spark._jsc.hadoopConfiguration().get("fs.defaultFS", "file:///"))


def file_channel(spark: "SparkSession", path: str) -> Any:
    """A java.nio FileChannel of a file on this machine, which is made if it is not there: it can be locked."""
    return _java(spark).java.io.RandomAccessFile(path, "rw").getChannel()


def file_system(spark: "SparkSession", path: str) -> Any:
    """Hadoop's FileSystem that `path` is on."""
    return hadoop_path(spark, path).getFileSystem(spark._jsc.hadoopConfiguration())


def hadoop_path(spark: "SparkSession", path: str) -> Any:
    """The path as Hadoop's FileSystem takes it."""
    return _java(spark).org.apache.hadoop.fs.Path(path)


def read_text(spark: "SparkSession", path: str) -> str:
    """A file's text in UTF-8. Raises Py4JJavaError if Java cannot read it."""
    stream = file_system(spark, path).open(hadoop_path(spark, path))
    try:
        return str(_java(spark).org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
    finally:
        stream.close()


def end_idle_workers(spark: "SparkSession") -> None:
    """End the Python workers on this machine that have no task; Spark makes new ones when it needs them.

    Spark does so itself after a minute. It keeps its workers behind private members, opened here by reflection.
    """
    environment = _java(spark).org.apache.spark.SparkEnv.get()
    field = environment.getClass().getDeclaredField("pythonWorkers")
    field.setAccessible(True)
    factories = field.get(environment).valuesIterator()
    while factories.hasNext():
        getattr(factories.next(), "org$apache$spark$api$python$PythonWorkerFactory$$cleanupIdleWorkers")()


def error_utils() -> Any:
    """Spark's own reader of Java's exceptions, PythonErrorUtils; None while there is no Java."""
    from pyspark import SparkContext

    return SparkContext._jvm.PythonErrorUtils if SparkContext._jvm else None


def error_message(condition: str, parameters: Mapping[str, str]) -> str:
    """Spark's message of an error condition, filled with these parameters. Raises Py4JError if it has none."""
    from pyspark import SparkContext

    helper = getattr(SparkContext._jvm, "org.apache.spark.SparkThrowableHelper")
    return str(helper.getMessage(condition, parameters))


def _java(spark: "SparkSession") -> Any:
    assert spark._jvm
    return spark._jvm
