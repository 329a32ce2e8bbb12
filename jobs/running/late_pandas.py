"""pandas is imported by those who use it, not by pyarrow at the first array that it makes: 0.3 CPU-seconds, 25 MiB."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from types import ModuleType

import pyarrow as pa


def import_pandas_late() -> None:
    """Keep pyarrow from importing pandas until somebody else does.

    pyarrow looks for pandas twice, and remembers what it found. It looks for classes such as Series, of which nobody
    has an instance before pandas is imported; then it looks again. And it looks for values such as NaT, once and for
    all; these are imported here, without the rest of pandas.

    As long as pandas is not imported, `as_py` of a value in nanoseconds gives Python's own datetime or timedelta; it
    raises ValueError where that is not exact.
    """
    if "pandas" in sys.modules or any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    spec = find_spec("pandas")
    if spec is None:
        return
    finder = _Finder(spec)
    sys.meta_path.insert(0, finder)
    pa.lib._pandas_api.have_pandas  # noqa: B018  where pyarrow looks for the classes
    finder.hides_pandas = False
    sys.modules["pandas"] = finder.module
    try:
        _import_values(finder.module)
        pa.array([None])  # where pyarrow looks for the values
    except (ImportError, AttributeError):  # another version of pandas has them elsewhere
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.startswith("pandas.")]:
            del sys.modules[name]
        del sys.modules["pandas"]
        pa.lib._pandas_api.pd  # noqa: B018  imports all of it
    else:
        del sys.modules["pandas"]


def import_pandas_late_in_driver() -> None:
    """Keep pyarrow from importing pandas, and pyspark, which would with the first value that it hands to Java: it asks
    a module for its own tests whether numpy is there, and that one looks for pandas too.
    """
    import_pandas_late()
    finder = next((finder for finder in sys.meta_path if isinstance(finder, _Finder)), None)
    if finder is None or "pandas" in sys.modules or "pyspark.testing.utils" in sys.modules:
        return
    finder.hides_pandas = True
    try:
        from pyspark.testing import utils
    finally:
        finder.hides_pandas = False
    utils.have_pandas, utils.pandas_requirement_message = True, ""


def _import_values(pandas: ModuleType) -> None:
    """Import the values for which pyarrow looks, and give them to `pandas`."""
    from pandas._libs import missing, tslibs

    pandas.NA = missing.NA  # type: ignore[attr-defined]
    for name in ("NaT", "Timedelta", "Timestamp"):
        setattr(pandas, name, getattr(tslibs, name))
    pandas.DateOffset = tslibs.offsets.DateOffset  # type: ignore[attr-defined]


class _Finder(MetaPathFinder):
    """Gives Python the module that has the values when somebody imports pandas, to execute the rest of it. Then pyarrow
    looks for the classes again.
    """

    def __init__(self, spec: ModuleSpec) -> None:
        self.module = module_from_spec(spec)
        self.hides_pandas = True
        self._spec = spec

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "pandas":
            return None
        if self.hides_pandas:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        loader = self._spec.loader
        assert loader is not None
        execute = type(loader).exec_module

        def execute_and_look(module: ModuleType) -> None:
            execute(loader, module)
            with suppress(ImportError):  # of a pandas that is too old for pyarrow
                pa.lib._pandas_api.pd  # noqa: B018

        loader.create_module = lambda spec: self.module  # type: ignore[method-assign]
        loader.exec_module = execute_and_look  # type: ignore[method-assign]
        return self._spec
