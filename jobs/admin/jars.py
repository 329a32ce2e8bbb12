"""Fetches the jars of the local profile: python -m jobs.admin.jars FOLDER [LIST].

conf/jars.txt, or the list that is given, names them, each with its SHA-256. They are fetched with the Ivy that pyspark
brings, from wherever Ivy is set up to look.
"""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from jobs.running.errors import Refused, one_line_errors
from jobs.running.java import check_java

LIST = Path("conf/jars.txt")


def read_list(path: Path) -> list[tuple[str, str, str, str]]:
    """Group, artifact, version and SHA-256 of each jar in the list. Raises Refused if a line is not of that form."""
    rows = [
        line.split()
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    wrong = [" ".join(row) for row in rows if len(row) != 4]
    if wrong:
        raise Refused(f"{path}: not a group, artifact, version and SHA-256: {wrong[0]}")
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def sha256(path: Path) -> str:
    """Digest of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fetch(folder: Path, listed: Path, group: str, artifact: str, version: str, digest: str) -> None:
    """Put one jar of the list into `folder`, unless it is there. Raises Refused if it cannot be had, or is another
    file.
    """
    target = folder / f"{artifact}-{version}.jar"
    if target.exists() and sha256(target) == digest:
        return
    import pyspark

    ivy = next(iter((Path(pyspark.__file__).parent / "jars").glob("ivy-*.jar")))
    with tempfile.TemporaryDirectory() as place:
        pattern = f"{place}/[artifact]-[revision].[ext]"
        command = [check_java(), "-jar", str(ivy), "-dependency", group, artifact, version, "-notransitive"]
        ivy_run = subprocess.run(
            [*command, "-confs", "default", "-types", "jar", "-retrieve", pattern], capture_output=True
        )
        fetched = Path(place) / target.name
        if ivy_run.returncode or not fetched.exists():
            raise Refused(f"{group}:{artifact}:{version} could not be fetched. Is there a network? Then run it again.")
        if sha256(fetched) != digest:
            raise Refused(
                f"{target.name} is not the file that {listed} expects (SHA-256 differs): nothing was installed."
            )
        target.write_bytes(fetched.read_bytes())
    print(f"fetched {target.name}")


def fetch_all(folder: Path, listed: Path) -> None:
    """Fetch all jars of the list that are not in `folder`, and remove those of other versions."""
    check_java()
    folder.mkdir(exist_ok=True, parents=True)
    jars = read_list(listed)
    for jar in jars:
        fetch(folder, listed, *jar)
    for path in set(folder.glob("*.jar")) - {folder / f"{artifact}-{version}.jar" for _, artifact, version, _ in jars}:
        path.unlink()


def main() -> None:
    """The command line."""
    with one_line_errors():
        fetch_all(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else LIST)


if __name__ == "__main__":
    main()
