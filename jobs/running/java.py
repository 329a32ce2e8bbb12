"""Java as a run needs it: new enough, with the settings of the profile, whatever the machine's own settings are."""

import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from jobs.running import jvm, project
from jobs.running.errors import Refused

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from jobs.running.places import Places

JAVA_AT_LEAST = 17
"""Spark 4 needs this version of Java."""

UTF8_LOCALE = "C.UTF-8"
"""With it Java opens file names that are not ASCII, and writes its errors in English."""

_OURS = re.compile(r"(-Dlog4j2\.configurationFile=)?(?<![\w/])(\.jars/|conf/)")
"""Beginning of a path in the project's folder; with the option before it if that takes an address."""


def check_java() -> str:
    """Path of the program `java`. Raises Refused if there is none, or one that is too old for Spark."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    remedy = (
        f"Install Java {JAVA_AT_LEAST} or newer (Debian, Ubuntu: apt install openjdk-{JAVA_AT_LEAST}-jre-headless; "
        f"macOS: brew install openjdk@{JAVA_AT_LEAST}), and set JAVA_HOME if it is not found."
    )
    if not java or not Path(java).exists():
        raise Refused(f"there is no Java {'at ' + java if java else 'on the PATH'}. {remedy}")
    output = subprocess.run([java, "-version"], capture_output=True, text=True, errors="replace", check=False).stderr
    version = re.search(r'version "(?:1\.)?(\d+)', output)
    if not version or int(version[1]) < JAVA_AT_LEAST:
        raise Refused(
            f"{java} is Java {version[1] if version else 'of an unknown version'}, which is too old. {remedy}"
        )
    return java


def check_user() -> None:
    """Raises Refused if the system has no name for this process's user: Java's Hadoop gives up without one, whatever
    its options say.
    """
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        raise Refused(
            f"user id {os.getuid()} has no name on this machine, and Spark does not start without one. Give it an "
            "entry in /etc/passwd, or run with libnss_wrapper; see docs/cluster.md."
        ) from None


def prepare() -> None:
    """Set the environment that Java inherits, if this process starts it."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ["LC_ALL"] = UTF8_LOCALE


def check_names(spark: "SparkSession", places: "Places", file: Path) -> None:
    """Raises Refused if Java would look elsewhere than Python for what the places `file` names: it was started with a
    locale that has no such letters, or takes a path without a scheme for one on HDFS.
    """
    encoding = jvm.system_property(spark, "sun.jnu.encoding")
    home = jvm.default_file_system(spark)
    for name in ("archive", "tables", "checkpoints"):
        path = getattr(places, name)
        if "://" in path:
            continue
        if not path.isascii() and encoding.upper().replace("-", "") != "UTF8":
            raise Refused(
                f"{file}: {name} is {path}, and Java was started with a locale that has no such letters ({encoding}). "
                f"Start spark-submit with LC_ALL={UTF8_LOCALE}."
            )
        if not home.startswith("file:"):
            raise Refused(
                f"{file}: {name} is {path}, which Spark would look for on {home} and deltalake on this machine. Write "
                "the path with its scheme, or start with --conf spark.hadoop.fs.defaultFS=file:///."
            )


def profile(path: Path) -> dict[str, str]:
    """The settings of a Spark properties file in conf/; of headrace's own if there is no such file.

    Raises Refused if it cannot be read. Paths under .jars/ and conf/ start at the folder above
    conf, wherever the process was started.
    """
    own = project.default_file(path.name)
    source = path if path.exists() or not own.exists() else own
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Refused(f"cannot read the Spark profile {path}: {error.strerror}.") from None
    pairs = (line.split(None, 1) for line in lines if line.strip() and not line.lstrip().startswith("#"))
    settings = {name: value.strip() for name, value in pairs}
    root = path.resolve().parent.parent
    if root != Path.cwd():
        settings = {name: _below(root, name, value) for name, value in settings.items()}
    return {name: _with_log_settings(root, value) for name, value in settings.items()}


def check_jars(settings: Mapping[str, str]) -> None:
    """Raises Refused if the folder of jars that the settings name is not there."""
    folder = Path(settings.get("spark.driver.extraClassPath", "").removesuffix("/*"))
    if folder.name == ".jars" and not folder.is_dir():
        raise Refused(f"there are no jars in {folder.absolute()}: headrace jars fetches them, once.")


def _with_log_settings(root: Path, value: str) -> str:
    """The value with headrace's own settings of the log, if the project has none."""
    file = Path("conf", "log4j2.properties")
    if (root / file).exists():
        return value
    option = "-Dlog4j2.configurationFile="
    address = f"file://{quote(str(project.default_file(file.name)))}"
    return re.sub(rf"{re.escape(option)}\S*{re.escape(str(file))}", f"{option}{address}", value)


def _below(root: Path, name: str, value: str) -> str:
    """The value of a setting with `root` before each path, escaped as Spark and Java read it there.

    Raises Refused if Java cannot.
    """
    above, address = f"{root}/", f"file://{quote(f'{root}/')}"
    if name.endswith("JavaOptions"):
        # Java takes a colon in this one for two archives; it only makes the start quicker.
        value = re.sub(r"-XX:SharedArchiveFile=\S+\s*", "", value) if ":" in above else value
        above = re.sub(r"([\s'\"\\])", r"\\\1", above)
    elif name.endswith("ClassPath") and ":" in above:
        raise Refused(f"Java cannot load jars from {root}: a colon ends a path there. Start in that folder itself.")
    return _OURS.sub(lambda found: (f"{found[1]}{address}" if found[1] else above) + found[2], value)


if __name__ == "__main__":  # make asks before it installs anything
    try:
        check_java()
    except Refused as error:
        sys.exit(f"headrace: {error}")
