"""What several tests of jobs share: a small result that is made once and harmed as a copy."""

import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.jobs.keeping import small


@pytest.fixture(scope="session")
def made_small(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small result. Copied, never changed."""
    return small.made(spark, tmp_path_factory.mktemp("small"))


@pytest.fixture
def folder(made_small: Path, tmp_path: Path) -> Path:
    """A copy of the small result, for the test alone."""
    return shutil.copytree(made_small, tmp_path / "copy")
