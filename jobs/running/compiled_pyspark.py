"""Processes that Spark starts import pip's pyspark and py4j, which are compiled.

Spark puts archives with the source files of the same two first on the path: the driver of spark-submit, the daemon of
the workers and the planner of the archive's data source would each compile them, for 1.3 CPU-seconds. `make setup` runs
this file. It copies itself into site-packages, where each Python process of the environment runs the copy at its start.
"""

import sys

NAME = "headrace_compiled_pyspark"
"""Of the copy, and of the file that makes Python run it."""


def use_compiled() -> None:
    """Take the archives off the path if Python then finds the packages that pip installed together with them.

    The archives of another Spark stay.
    """
    archives = [path for path in sys.path if "/python/lib/py" in path and path.endswith(".zip")]
    if not archives:
        return
    from importlib.machinery import PathFinder
    from pathlib import Path

    rest = [path for path in sys.path if path not in archives]
    specs = [PathFinder.find_spec(package, rest) for package in ("pyspark", "py4j")]
    installed = {Path(spec.origin).resolve().parents[1] if spec and spec.origin else None for spec in specs}
    if installed == {Path(archive).resolve().parents[3] for archive in archives}:
        sys.path[:] = rest


if __name__ == "__main__":
    import shutil
    import sysconfig
    from pathlib import Path

    site_packages = Path(sysconfig.get_path("purelib"))
    shutil.copyfile(__file__, site_packages / f"{NAME}.py")
    (site_packages / f"{NAME}.pth").write_text(f"import {NAME}; {NAME}.use_compiled()\n", encoding="utf-8")
