"""Laws: what must hold for any history, tried on random ones.

`make law CUTS=25` tries each law on so many new histories. `make test` tries the examples that stand over the law, and
those alone, as each history takes 10 to 30 seconds.
"""

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

CUTS = os.environ.get("CUTS")
"""How many random histories of each law; None: none, only the examples."""


def law(test: Callable[..., Any]) -> Any:
    """The test, which `make law` runs on random histories and every other run on its examples."""
    tried = settings(
        max_examples=int(CUTS or 1),
        phases=[Phase.generate if CUTS else Phase.explicit],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    return pytest.mark.law(tried(test))
