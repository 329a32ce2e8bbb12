"""python -m jobs.admin.reference FILE: writes the reference into FILE. Needs no Java."""

import sys
from pathlib import Path

from jobs.admin.reference.page import text

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
