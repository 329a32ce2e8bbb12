"""The page of the gallery says what its job files say; its jobs are run by their own tests, docs/gallery/tests."""

import ast
import re

import pytest

from tests.pages import ROOT, page

GALLERY = "docs/gallery"
PAGE = f"{GALLERY}/README.md"
ROWS = [line.strip("|").split(" | ") for line in page(PAGE).splitlines() if "](jobs/" in line]
FILES = sorted(path.stem for path in (ROOT / GALLERY / "jobs").glob("*.py"))


def test_each_job_of_the_gallery_is_on_its_page() -> None:
    assert sorted(re.findall(r"\w+", cells[0])[0] for cells in ROWS) == FILES
    assert len(FILES) == 6


@pytest.mark.parametrize("cells", ROWS, ids=lambda cells: cells[0].split("]")[0].strip(" ["))
def test_a_row_of_the_page_is_that_of_its_file(cells: list[str]) -> None:
    links, question, topic, _, late = (cell.strip() for cell in cells)
    job, test = (f"{GALLERY}/{link}" for link in re.findall(r"\]\(([^)]+)\)", links))
    code = page(job)
    docstring = ast.get_docstring(ast.parse(code)) or ""
    assert docstring.splitlines()[0] == question
    said = dict(re.findall(r"^(in|out|late) +(.*(?:\n {6}.*)*)", docstring, re.MULTILINE))
    assert " ".join(said["late"].split()).startswith(late)
    name, schema = re.findall(r"\[(\w+)\]\(([^)]+)\)", topic)[0]
    assert f"topic {name} ({GALLERY}/{schema})" in said["in"]
    assert f'TOPIC = "{name}"' in page(f"{GALLERY}/{schema}")
    assert f"from {job.removeprefix(f'{GALLERY}/').removesuffix('.py').replace('/', '.')} import RESULT" in page(test)
    assert len(code.splitlines()) <= 50
