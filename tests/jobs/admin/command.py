"""Types a headrace command, in this process."""

import pytest

from jobs.admin.headrace import main


def run(*arguments: str) -> int:
    """The exit code."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)
