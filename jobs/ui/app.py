"""The application: which function answers which address, who is let in, and what is said when something fails."""

from collections.abc import Callable, Iterable
from functools import wraps
from importlib.resources import files

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from jobs.running.errors import explain
from jobs.ui import api, pages
from jobs.ui.access import Access
from jobs.ui.rendering import page
from jobs.ui.site_facts import SiteFacts

Endpoint = Callable[[Request], Response]
ROUTES: dict[str, Endpoint] = {
    "/": pages.overview,
    "/results/{name}": pages.result,
    "/results/{name}/quarantine": pages.quarantine,
    "/log": pages.log,
    "/doctor": pages.doctor,
    "/metrics": api.exposition,
    "/api/overview.json": api.overview,
    "/api/results/{name}.json": api.result,
    "/api/results/{name}/quarantine.json": api.quarantine,
    "/api/results/{name}/charts/{chart}.json": api.chart,
    "/api/log.json": api.log,
    "/api/doctor.json": api.doctor,
}


def make(facts: SiteFacts, token: str | None, hosts: Iterable[str], cookie: str = "headrace") -> Starlette:
    """The application over these facts; the other parameters are those of `access.Access`."""
    static = StaticFiles(directory=str(files("jobs.ui") / "static"))
    app = Starlette(
        routes=[*(Route(path, _careful(endpoint)) for path, endpoint in ROUTES.items()), Mount("/static", static)],
        middleware=[Middleware(Access, token=token, hosts=tuple(hosts), cookie=cookie)],
        exception_handlers={HTTPException: _refuse},
    )
    app.state.facts = facts
    return app


def _careful(endpoint: Endpoint) -> Endpoint:
    """The endpoint, with one line in place of what a damaged table or a broker makes it raise."""

    @wraps(endpoint)
    def answer(request: Request) -> Response:
        try:
            return endpoint(request)
        except HTTPException:
            raise
        except Exception as error:  # deltalake raises many kinds for a damaged table
            return _say(request, 500, f"This cannot be shown: {explain(error)}")

    return answer


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _say(request, error.status_code, error.detail)


def _say(request: Request, status: int, text: str) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": text}, status)
    return page("fault.html", "", status, status_code=status, text=text)
