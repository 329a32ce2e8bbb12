"""Where files are: a folder of this machine, or object storage behind a URI."""

from pathlib import Path

from pyarrow import fs


def filesystem(path: str) -> tuple[fs.FileSystem, str]:
    """The file system of a path or URI such as s3://bucket/folder, and the place in it."""
    if "://" in path:
        system, place = fs.FileSystem.from_uri(path)
        return system, place
    return fs.LocalFileSystem(), str(Path(path).absolute())
