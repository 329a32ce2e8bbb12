"""Spark's archives of source files leave the path only for the packages that pip installed together with them."""

import os
import shutil
import subprocess
from pathlib import Path

import pyspark
import pytest

from tests.jobs.running import environments

INSTALLED = Path(pyspark.__file__).parent
LIBRARY = INSTALLED / "python" / "lib"
"""Where pip's pyspark has the archives that Spark puts on the path."""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environments.make(tmp_path_factory.mktemp("environment"))


def imported(python: Path, *path: Path) -> list[Path]:
    """The files from which a new process with these first on its path imports pyspark and py4j."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    program = "import pyspark, py4j; print(pyspark.__file__, py4j.__file__, sep='\\n')"
    output = subprocess.run([python, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert output.stderr == ""
    return [Path(line).parent for line in output.stdout.splitlines()]


def test_pips_packages_come_before_the_archives_of_the_same_spark(python: Path, tmp_path: Path) -> None:
    archives = sorted(LIBRARY.glob("py*.zip"))
    assert len(archives) == 2
    assert imported(python, tmp_path, *archives) == [INSTALLED, INSTALLED.parent / "py4j"]
    assert imported(python) == [INSTALLED, INSTALLED.parent / "py4j"]


def test_another_spark_keeps_its_archives(python: Path, tmp_path: Path) -> None:
    """Also one that is unpacked in a folder on the path."""
    other = tmp_path / "spark" / "pyspark" / "python" / "lib"
    shutil.copytree(LIBRARY, other)
    archives = sorted(other.glob("py*.zip"))
    assert imported(python, *archives)[0] == other / "pyspark.zip" / "pyspark"
    (tmp_path / "spark" / "pyspark" / "__init__.py").touch()
    assert imported(python, *archives, tmp_path / "spark")[0] == other / "pyspark.zip" / "pyspark"


def test_a_package_that_stands_before_pips_keeps_the_archives(python: Path, tmp_path: Path) -> None:
    """Without them Python would import the other one."""
    (tmp_path / "pyspark").mkdir()
    (tmp_path / "pyspark" / "__init__.py").touch()
    archives = sorted(LIBRARY.glob("py*.zip"))
    assert imported(python, *archives, tmp_path)[0] == LIBRARY / "pyspark.zip" / "pyspark"
