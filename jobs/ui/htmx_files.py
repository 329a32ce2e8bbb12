"""Fetches the libraries that renew a page, as they were released: htmx, and Idiomorph, by which htmx changes in a page
only what is new, so that focus, scrolling and what is open stay.

    python -m jobs.ui.htmx_files

It needs npm. The files are shipped, so that `headrace ui` needs neither npm nor the network. Both are under the
Zero-Clause BSD licence (0BSD).
"""

import hashlib
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "static"


@dataclass(frozen=True)
class Library:
    """A file of a package of npm."""

    package: str
    version: str
    path: str
    """In the package."""
    sha256: str

    @property
    def file(self) -> Path:
        """Where it is shipped."""
        return FOLDER / Path(self.path).name


LIBRARIES = (
    Library(
        "htmx.org", "2.0.11", "dist/htmx.min.js", "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
    ),
    Library(
        "idiomorph",
        "0.7.4",
        "dist/idiomorph-ext.min.js",
        "a6437e55b1b6a07bc421f0d230266a39399b6826c6ed19e0ed9c63b707444a5f",
    ),
)


def sha256(content: bytes) -> str:
    """Digest, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def fetch(library: Library) -> bytes:
    """The content of the file. Raises ValueError if it is another one than that of LIBRARIES."""
    with tempfile.TemporaryDirectory() as folder:
        pack = ["npm", "pack", "--silent", f"{library.package}@{library.version}"]
        name = subprocess.run(pack, cwd=folder, check=True, capture_output=True, encoding="utf-8").stdout.strip()
        with tarfile.open(Path(folder) / name) as package:
            member = package.extractfile(f"package/{library.path}")
            content = b"" if member is None else member.read()
    if sha256(content) != library.sha256:
        raise ValueError(f"{library.path} of {library.package} {library.version} is another file: its SHA-256 differs")
    return content


if __name__ == "__main__":
    for each in LIBRARIES:
        each.file.write_bytes(fetch(each))
