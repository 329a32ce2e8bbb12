"""Before make installs anything it says what is missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_java_is_asked_for_before_anything_is_installed(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("make", "bash", "find", "grep"):
        found = shutil.which(name)
        assert found, name
        (programs / name).symlink_to(found)
    environment = {name: value for name, value in os.environ.items() if name not in ("JAVA_HOME", "MAKEFLAGS")}
    make = [str(programs / "make"), "demo", f"VENV={tmp_path}/venv", f"PYTHON={sys.executable}"]
    made = subprocess.run(make, cwd=ROOT, env=environment | {"PATH": str(programs)}, capture_output=True, text=True)
    assert made.returncode == 2
    assert "there is no Java" in made.stderr and "openjdk-17-jre-headless" in made.stderr
    assert "installing" not in made.stdout and not (tmp_path / "venv").exists()
