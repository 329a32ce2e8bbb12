"""The pages: each renders a template with facts of the site."""

from starlette.requests import Request
from starlette.responses import Response

from jobs.admin.states import State
from jobs.answers import table_names
from jobs.ui.overview import Overview
from jobs.ui.rendering import page
from jobs.ui.result_overview import ResultOverview
from jobs.ui.site_facts import SiteFacts


def overview(request: Request) -> Response:
    """All results, or those that `q` and `state` choose; the worst come first."""
    known = _facts(request).overview()
    wanted, state = request.query_params.get("q", "").strip(), request.query_params.get("state", "")
    rows = [each for each in known.results if _fits(each, wanted.lower(), state)]
    rows.sort(key=lambda each: (list(State).index(each.assessment.state), each.name))
    counts = known.counts()
    return page("overview.html", "/", overview=known, rows=rows, counts=counts, wanted=wanted, chosen=state)


def result(request: Request) -> Response:
    """One result: its state, numbers, charts, tables."""
    facts = _facts(request)
    found = facts.result(request.path_params["name"])
    choice = facts.window_choice(found.name) if found.assessment.facts else None
    return page(
        "result.html",
        "",
        result=found,
        choice=choice,
        corrections=facts.corrections(found.name) if found.assessment.facts else [],
        tables=facts.tables(found),
        kind=request.query_params.get("kind", choice.kinds[0] if choice else ""),
        group=request.query_params.get("group", ""),
        measure=request.query_params.get("measure", choice.measures[0] if choice and choice.measures else ""),
    )


def quarantine(request: Request) -> Response:
    """The records of a result that wait in quarantine, of one `reason` or all."""
    facts = _facts(request)
    found = facts.result(request.path_params["name"])
    reason = request.query_params.get("reason") or None
    records = facts.quarantined_records(found.name, reason) if found.assessment.facts else []
    table = table_names.table(found.name, "quarantine")
    return page(
        "quarantine.html", "", result=found, records=records, reason=reason, table=table, show_values=facts.show_values
    )


def log(request: Request) -> Response:
    """The topics of the log; at once, also while the broker is asked."""
    facts = _facts(request)
    return page("log.html", "/log", log=facts.log(), places=facts.places)


def doctor(request: Request) -> Response:
    """What was found about each result; what is wrong comes first."""
    known = _facts(request).overview()
    return page("doctor.html", "/doctor", overview=known, results=_worst_first(known))


def _worst_first(known: Overview) -> list[ResultOverview]:
    def severity(each: ResultOverview) -> tuple[bool, bool, int, str]:
        found = each.assessment
        return not found.needs_somebody, not found.findings, list(State).index(found.state), each.name

    return sorted(known.results, key=severity)


def _fits(each: ResultOverview, wanted: str, state: str) -> bool:
    texts = (each.name, *each.topics)
    return any(wanted in text.lower() for text in texts) and state in ("", each.assessment.state)


def _facts(request: Request) -> SiteFacts:
    facts: SiteFacts = request.app.state.facts
    return facts
