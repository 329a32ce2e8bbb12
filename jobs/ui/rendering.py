"""Pages out of the templates in templates/. Whatever stands in a page is escaped."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from jobs.admin.assessment import complete_text
from jobs.ui import sparkline, words


def result_link(name: str) -> str:
    """The page of a result."""
    return f"/results/{quote(name, safe='')}"


def overview_link(**parameters: str) -> str:
    """The overview with these parameters; those that are empty are left out."""
    given = {name: value for name, value in parameters.items() if value}
    return f"/?{urlencode(given)}" if given else "/"


_environment = Environment(
    loader=PackageLoader("jobs.ui"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_environment.filters |= {
    each.__name__: each
    for each in (
        *(words.number, words.plural, words.duration, words.time, words.age),
        *(words.commands, words.publication, words.to_deliver, words.remedy, complete_text),
    )
}
_environment.globals |= {"result_link": result_link, "overview_link": overview_link}
_environment.globals |= {"bars_of_the_day": sparkline.bars, "words_of_the_day": sparkline.words}


def page(template: str, here: str, status: int = 200, **values: Any) -> HTMLResponse:
    """The answer to a request; `here`: the entry of the menu to which the page belongs."""
    text = _environment.get_template(template).render(here=here, **({"now": datetime.now(UTC)} | values))
    return HTMLResponse(text, status)
