"""A virtual environment of a test's own that has all packages of the one that runs the tests."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parents[3]


def make(folder: Path) -> Path:
    """Make one in `folder` in which Python imports pip's pyspark, as after `make setup`; the path of its Python."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    site_packages = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    (site_packages / "all.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    subprocess.run([python, "-m", "jobs.running.compiled_pyspark"], cwd=ROOT, check=True)
    return python
