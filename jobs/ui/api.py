"""The same facts for programs: JSON, specifications of charts, and metrics."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jobs.admin import assessment
from jobs.log.kafka import patience
from jobs.running.errors import Refused
from jobs.ui import charts, metrics
from jobs.ui.overview import PATIENCE_SECONDS
from jobs.ui.site_facts import SiteFacts


def overview(request: Request) -> Response:
    """All results."""
    return JSONResponse(_facts(request).overview().record())


def result(request: Request) -> Response:
    """One result, with what its tables say."""
    facts = _facts(request)
    found = facts.result(request.path_params["name"])
    more: dict[str, Any] = {"described_tables": _plain([asdict(each) for each in facts.tables(found)])}
    if found.assessment.facts:
        more["history"] = _plain([asdict(each) for each in facts.history(found.name)])
        more["corrections"] = _plain([asdict(each) for each in facts.corrections(found.name)])
    return JSONResponse(found.record() | more)


def quarantine(request: Request) -> Response:
    """Records that wait in quarantine; their keys and values only if the server shows them."""
    facts = _facts(request)
    found = facts.result(request.path_params["name"])
    records = facts.quarantined_records(found.name, request.query_params.get("reason") or None)
    kept_out = () if facts.show_values else ("key", "value")
    rows = [{name: value for name, value in asdict(each).items() if name not in kept_out} for each in records]
    return JSONResponse({"name": found.name, "records": _plain(rows)})


def log(request: Request) -> Response:
    """The topics of the log; a broker is waited for. 503 if it does not answer."""
    found = _facts(request).log(patience.LOOK_SECONDS + PATIENCE_SECONDS)
    if found.fault or not found.is_known:
        return JSONResponse({"error": found.fault or "the broker is being asked: ask again"}, 503)
    return JSONResponse({"topics": _plain([asdict(each) for each in found.topics])})


def doctor(request: Request) -> Response:
    """What was found about each result."""
    known = _facts(request).overview()
    found = {each.name: [assessment.finding_record(one) for one in each.assessment.findings] for each in known.results}
    return JSONResponse({"taken_time": known.taken_time.isoformat(), "findings": found})


def exposition(request: Request) -> Response:
    """The metrics, in Prometheus' text format."""
    return Response(metrics.text(_facts(request).overview()), media_type=CONTENT_TYPE_LATEST)


def chart(request: Request) -> Response:
    """The specification of a chart of a result: records, lateness or windows."""
    facts = _facts(request)
    name = facts.result(request.path_params["name"]).name
    which = request.path_params["chart"]
    if which == "records":
        return JSONResponse(charts.records(facts.history(name)))
    if which == "lateness":
        return JSONResponse(charts.lateness(facts.history(name)))
    if which != "windows":
        raise HTTPException(404, "There are charts of records, lateness and windows.")
    choice = facts.window_choice(name)
    if choice is None or not choice.measures:
        raise HTTPException(404, f"{name} has published no windows with numbers.")
    kind = request.query_params.get("kind", choice.kinds[0])
    measure = request.query_params.get("measure", choice.measures[0])
    try:
        rows = facts.windows(name, kind, request.query_params.get("group", ""), measure)
    except Refused as error:
        raise HTTPException(404, str(error)) from None
    return JSONResponse(charts.windows(rows, measure, choice.by))


def _plain(value: Any) -> Any:
    """The value with times as ISO 8601."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _facts(request: Request) -> SiteFacts:
    facts: SiteFacts = request.app.state.facts
    return facts
