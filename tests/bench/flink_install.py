"""Puts Flink, with its Python packages and jars, into a folder of its own: python tests/bench/flink_install.py FOLDER

It needs older packages than headrace (pyarrow 16), so it never goes into the project's environment. A file `ready` in
the folder says that all of it is there.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from bench_input import ROOT

VERSION = "2.3.0"
PYTHONS = ((3, 11), (3, 12), (3, 10), (3, 9))
"""That it can be installed with; the first one found is taken."""
JARS = Path(__file__).with_name("flink_jars.txt")


def version_of(python: str) -> tuple[int, int] | None:
    """Major and minor version of an interpreter; None if it does not run."""
    asked = subprocess.run([python, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True)
    return (int(asked.stdout.split()[0]), int(asked.stdout.split()[1])) if asked.returncode == 0 else None


def interpreter(candidates: Iterable[str]) -> str | None:
    """The first that runs and is of a version that Flink can be installed with."""
    return next((found for found in candidates if version_of(found) in PYTHONS), None)


def candidates() -> list[str]:
    """This interpreter, and those of the PATH."""
    names = [sys.executable, *(f"python{major}.{minor}" for major, minor in PYTHONS)]
    return [found for name in names if (found := shutil.which(name))]


def install(folder: Path) -> None:
    """Make the folder. Raises Refused if there is no Python for it, or something cannot be fetched."""
    refused = import_module("jobs.running.errors").Refused
    python = interpreter(candidates())
    if python is None:
        raise refused(
            f"Flink {VERSION} cannot be installed: it needs Python 3.9 to 3.12 on the PATH, as python3.11 for example, "
            f"and this is Python {sys.version.split()[0]}. make bench goes on without Flink."
        )
    (folder / "ready").unlink(missing_ok=True)
    print(f"installing Flink {VERSION} into {folder}: 0.9 GB on disk, about 3 minutes", flush=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in ([python, "-m", "venv", str(folder)], [*pip, f"apache-flink=={VERSION}"]):
        if subprocess.run(command).returncode != 0:
            raise refused(f"Flink {VERSION} could not be installed; the lines above say why: {' '.join(command)}")
    fetch = [sys.executable, "-m", "jobs.admin.jars", str(folder / "jars"), str(JARS)]
    if subprocess.run(fetch, cwd=ROOT).returncode != 0:
        raise refused(f"Flink {VERSION} was not installed: its jars are missing, see the line above.")
    (folder / "ready").touch()


def main() -> None:
    """Install it, or say in one line why not."""
    sys.path.append(str(ROOT))
    with import_module("jobs.running.errors").one_line_errors():
        install(Path(sys.argv[1]).resolve())


if __name__ == "__main__":
    main()
