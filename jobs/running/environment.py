"""Settings out of the environment, for the fields of the places file.

HEADRACE_TABLES is the field `tables`, HEADRACE_KAFKA__SERVERS the field `servers` of its table [kafka].
"""

import difflib
import os
from typing import Any

from pydantic import BaseModel

from jobs.running import diagnostics, project
from jobs.running.errors import Refused

PREFIX = "HEADRACE_"
OTHERS = (project.PLACES_VARIABLE, diagnostics.VARIABLE, "HEADRACE_DEBUG", "HEADRACE_UI_TOKEN")
"""Variables that are no field of the places file."""


def read(model: type[BaseModel]) -> dict[str, Any]:
    """The fields of the model that the environment has, tables as dictionaries. Raises Refused for a variable that
    begins like one of them, and is none, and for a format of lines that there is not.
    """
    _check_format()
    given = [name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in OTHERS]
    if not given:
        return {}
    _check_names(given, model)
    from pydantic import create_model
    from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError

    kinds: dict[str, Any] = {name: (field.annotation, None) for name, field in model.model_fields.items()}
    settings = create_model("Settings", __base__=BaseSettings, **kinds)
    try:
        return EnvSettingsSource(settings, env_prefix=PREFIX, env_nested_delimiter="__")()
    except SettingsError as error:
        raise Refused(f"the environment: {error}; a table is written as JSON, or a variable for each field.") from None


def _check_format() -> None:
    asked = os.environ.get(diagnostics.VARIABLE, diagnostics.TEXT)
    if asked not in diagnostics.FORMATS:
        raise Refused(f"{diagnostics.VARIABLE} is {asked!r}: give {' or '.join(diagnostics.FORMATS)}.")


def _check_names(given: list[str], model: type[BaseModel]) -> None:
    known = [f"{PREFIX}{name}".upper() for name in model.model_fields]
    for name in given:
        field = name.upper().partition("__")[0]
        if field not in known:
            near = difflib.get_close_matches(field, [*known, *OTHERS], 1)
            advice = f"Did you mean {near[0]}?" if near else f"There are {', '.join([*known, *OTHERS])}."
            raise Refused(f"the environment has {name}, which is no setting. {advice}")
