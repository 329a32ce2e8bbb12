"""The Dockerfile without Docker: its files are copied and its commands run, in folders that stand for its images.

Images of others are left out: what runs is the Python and the Java of this machine.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.pages import ROOT

FILE = ROOT / "conf" / "Dockerfile"
OTHERS = ("FROM", "ENV", "USER", "ENTRYPOINT", "CMD")
"""Instructions that do nothing while the steps are run."""


@dataclass
class Stage:
    """One image on its way."""

    root: Path
    folder: Path = field(init=False)
    """The current one."""

    def __post_init__(self) -> None:
        self.folder = self.root

    def path(self, name: str) -> Path:
        """A path of the image: from its root, or from the current folder."""
        return self.root / name.lstrip("/") if name.startswith("/") else self.folder / name


def instructions() -> Iterator[tuple[str, str]]:
    """Each word of Docker with what follows it."""
    lines = FILE.read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    for line in lines:
        if line.strip() and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            yield word, rest.strip()


def build(folder: Path) -> Path:
    """Run all steps; the last image's folder of the project. Its programs are in `programs(folder)`."""
    _make_environment(folder / "env")
    stages: dict[str, Stage] = {}
    for word, rest in instructions():
        if word == "FROM":
            name = rest.partition(" AS ")[2] or "last"
            stage = stages[name] = Stage(folder / name)
        elif word == "WORKDIR":
            stage.folder = stage.path(rest)
            stage.folder.mkdir(parents=True)
            if name == "last":
                _lend_jars(stage.folder)
        elif word == "COPY":
            _copy(rest.split(), stage, stages)
        elif word == "RUN":
            _run(rest, stage.folder, folder)
        else:
            assert word in OTHERS, word
    return stage.folder


def programs(folder: Path) -> Path:
    """Where the programs of the images are."""
    return folder / "env" / "bin"


def _copy(words: list[str], stage: Stage, stages: dict[str, Stage]) -> None:
    origin = next((word.removeprefix("--from=") for word in words if word.startswith("--from=")), None)
    *sources, target = [word for word in words if not word.startswith("--")]
    if origin is not None and origin not in stages:
        return  # of another's image
    for source in sources:
        path = stages[origin].path(source) if origin else ROOT / source
        into = stage.path(target)
        if path.is_dir():
            shutil.copytree(path, into, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, into / path.name if target.endswith("/") else into)


def _run(command: str, current: Path, folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYSPARK"))}
    path = os.pathsep.join([str(programs(folder)), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", "-e", "-c", command], cwd=current, env=environment | {"PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def _make_environment(place: Path) -> None:
    """With pip and all that headrace depends on, as the environment at work has them, but without headrace."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    [site] = (place / "lib").glob("python*/site-packages")
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "headrace" not in path.name:
            (site / path.name).symlink_to(path)


def _lend_jars(project: Path) -> None:
    """The jars that are here already: what is missing would be fetched."""
    (project / ".jars").mkdir()
    for path in (ROOT / ".jars").iterdir():
        (project / ".jars" / path.name).symlink_to(path)
