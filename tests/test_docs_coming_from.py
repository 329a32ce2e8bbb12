"""docs/coming-from.md: whatever it says to write here can be written."""

import re

import pytest

from jobs.answers import delivery, latest, outcomes, result, sequences, sessions, sliding, top, versions, windows
from jobs.answers.enriched import Enriched
from jobs.answers.table_names import KINDS
from jobs.answers.views.view import View
from jobs.decisions.membership import Membership
from jobs.events.changes.debezium import Debezium
from jobs.facts.panes import Panes
from tests.pages import page, prose

NAMES: dict[str, object] = {each.__name__: each for each in (Debezium, Enriched, Membership, Panes, View)}
for module in (delivery, latest, outcomes, result, sequences, sessions, sliding, top, versions, windows):
    NAMES |= vars(module)
CELLS = [
    line.strip("| ").rpartition(" | ")[2]
    for line in prose(page("docs/coming-from.md")).splitlines()
    if line.startswith("| ") and not line.startswith("| there ")
]
"""The right columns of its tables."""
CODES = sorted({code for cell in CELLS for code in re.findall("`([^`]+)`", cell) if not code.startswith("headrace ")})
"""Commands are tried by test_docs_commands.py."""
REFERENCE = page("docs/reference.md")


@pytest.mark.parametrize("code", CODES)
def test_what_is_written_here_is_there(code: str) -> None:
    if code.startswith("NAME_"):
        assert code.removeprefix("NAME_") in KINDS
    elif code.startswith("tables."):
        assert f"def {code.removeprefix('tables.').partition('(')[0]}(" in page("jobs/publishing/tables.py")
    elif "(" in code:
        eval(code, dict(NAMES))
    else:
        assert code in NAMES or f"`{code}`" in REFERENCE + page("docs/topics.md") + page("docs/answers.md")


def test_each_tool_has_a_table() -> None:
    assert len(CELLS) > 60 and len(CODES) > 40
