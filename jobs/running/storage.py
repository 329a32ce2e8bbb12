"""Where files are: a folder of this machine, or object storage behind a URI."""

from pathlib import Path

from pyarrow import fs


def filesystem(path: str) -> tuple[fs.FileSystem, str]:
    """The file system of a path or URI such as s3://bucket/folder, and the place in it."""
    if "://" in path:
        system, place = fs.FileSystem.from_uri(path)
        return system, place
    return fs.LocalFileSystem(), str(Path(path).absolute())


def remove_folder(path: str) -> None:
    """Remove the folder at a path or URI and what is in it; nothing if it is not there."""
    system, place = filesystem(path)
    if system.get_file_info(place).type != fs.FileType.NotFound:
        system.delete_dir(place)
