"""pyarrow does not import pandas for an array, and knows all of pandas as soon as somebody imports it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

LATE = """
import sys
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jobs.running import late_pandas
late_pandas.import_pandas_late()
late_pandas.import_pandas_late()
pa.array([1, None]), pa.array(np.arange(3)), pa.scalar(2), pc.add(pa.array([1]), 1), pa.table({"a": [1]}).to_pylist()
assert "pandas" not in sys.modules
"""
WITHOUT_ITS_PLACE = """
from jobs.running import late_pandas
def moved(pandas): raise ImportError
late_pandas._import_values = moved
late_pandas.import_pandas_late()
"""
"""As with a version of pandas that has its values elsewhere."""
TO_PANDAS = "import pyarrow as pa; print(pa.table({'a': [1.5, None]}).to_pandas())\n"
PRINTS = """
import numpy as np
import pandas as pd
import pyarrow as pa

HOLDS = [
    [pd.Timestamp(1_234_567_890_123_456_789), pd.NaT],
    [pd.Timedelta(1), None],
    [pd.NA, 1],
    pd.Series([1.0, float("nan")]),
    pd.Series([None, "a", pd.NA]),
    pd.Series([pd.DateOffset(days=1)]),
    pd.Series(["a", "b", "a"], dtype="category"),
    pd.Series([1, None], dtype="Int64"),
    pd.Index([1, 2]),
    pd.DataFrame({"a": [1, 2]}),
]
for values in HOLDS:
    for kind in (None, pa.timestamp("ns"), pa.duration("ns"), pa.string()):
        for from_pandas in (None, True, False):
            try:
                made = pa.array(values, kind, from_pandas=from_pandas)
                print(made.type, made)
            except Exception as error:
                print(type(error), error)
print(pa.table({"a": pa.array([1], pa.timestamp("ns", "UTC")), "b": ["x"]}).to_pandas().dtypes)
print(pa.scalar(1, pa.timestamp("ns")).as_py(), pa.scalar(1, pa.duration("ns")).as_py())
print(pa.Table.from_pandas(pd.DataFrame({"a": ["x", None], "b": pd.Categorical(["u", "v"])})))
print(pd.__file__, pd.__spec__.name, pd._libs.__name__, pd.util.__name__, pd.compat.__name__)
"""


def output(program: str) -> str:
    """What a new process prints that runs this."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("before", ["", TO_PANDAS], ids=["imported", "asked for by pyarrow"])
def test_pandas_is_as_if_it_had_been_imported_first(before: str) -> None:
    expected = output(before + PRINTS)
    assert len(expected) > 3000
    assert output(LATE + before + PRINTS) == expected
    assert output(WITHOUT_ITS_PLACE + before + PRINTS) == expected


def test_pandas_can_be_looked_for_without_an_import() -> None:
    program = (
        "import importlib.util\nassert importlib.util.find_spec('pandas').origin\nassert 'pandas' not in sys.modules\n"
    )
    assert output(LATE + program + PRINTS) == output(PRINTS)


def test_nanoseconds_without_pandas_are_exact_or_an_error() -> None:
    program = """
print(pa.scalar(1_000_000_001_000, pa.timestamp("ns")).as_py(), pa.scalar(5_000, pa.duration("ns")).as_py())
for kind in (pa.timestamp("ns"), pa.duration("ns")):
    try:
        pa.scalar(1, kind).as_py()
    except ValueError as error:
        print("nanosecond" in str(error).lower())
assert "pandas" not in sys.modules
"""
    assert output(LATE + program).splitlines() == ["1970-01-01 00:16:40.000001 0:00:00.000005", "True", "True"]


def test_a_process_that_has_pandas_is_left_alone() -> None:
    program = """
import pandas, sys
from jobs.running import late_pandas
before = list(sys.meta_path)
late_pandas.import_pandas_late()
assert sys.meta_path == before
"""
    assert output(program + PRINTS) == output(PRINTS)
