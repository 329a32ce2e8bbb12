"""Two answers over searches and clicks, and what must come of them: worked out visit by visit, in plain Python."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from jobs.answers.outcomes import Outcomes, Then
from jobs.answers.sessions import Sessions
from tests.jobs.keeping import searches
from tests.jobs.keeping.searches import ALLOWED, KEPT, Visit

CLICKED = Outcomes(
    "searches", ("user",), (Then("clicks", "3 minutes"),), called=("clicked", "not_clicked", "late_click")
)
GAP = timedelta(minutes=2)
VISITS = Sessions(("user",), "2 minutes", count="searches", uniques=("words",), counts=("is_last",))


def clicked(visits: list[Visit]) -> dict[tuple[int, int], tuple[str, datetime | None]]:
    """{place of a search: its outcome, time of its click}, search by search."""
    kept = {
        topic: [
            (visit, place, behind > ALLOWED)
            for (name, _), there in searches.placed(visits).items()
            for visit, place, behind in there
            if name == topic and behind <= ALLOWED + KEPT
        ]
        for topic in ("searches", "clicks")
    }
    found: dict[tuple[int, int], tuple[str, datetime | None]] = {}
    for search, place, _ in kept["searches"]:
        until = search.at + timedelta(minutes=3)
        theirs = [one for one in kept["clicks"] if one[0].user == search.user and search.at <= one[0].at <= until]
        first = min(theirs, key=lambda one: (one[0].at, one[1]), default=None) if search.user else None
        if first:
            found[place] = ("late_click" if first[2] else "clicked", first[0].at)
        else:
            is_due = until < searches.complete_time(visits)
            found[place] = ("not_clicked" if is_due else "open", None)
    return found


def sessions(visits: list[Visit], only_in_time: bool = False) -> list[dict[str, Any]]:
    """Each user's searches in order of time, cut where two are the gap apart; `visits`: of the topic of searches."""
    complete = searches.complete_time(visits)
    late = {id(visit) for there in searches.placed(visits).values() for visit, _, behind in there
            if behind > ALLOWED}  # fmt: skip
    of_user = defaultdict(list)
    for visit in visits:
        if not (only_in_time and id(visit) in late):
            of_user[visit.user].append(visit)
    rows = []
    for user, theirs in of_user.items():
        theirs.sort(key=lambda visit: visit.at)
        found = [[theirs[0]]]
        for visit in theirs[1:]:
            if visit.at - found[-1][-1].at >= GAP:
                found.append([])
            found[-1].append(visit)
        for session in found:
            start, end = session[0].at, session[-1].at
            row: dict[str, Any] = {"user": user, "session_start": start, "session_end": end, "searches": len(session)}
            row |= {
                "words_estimate": len({visit.words for visit in session}),
                "is_last_count": sum(visit.flag for visit in session),
            }
            rows.append(row | {"due_time": end + GAP, "final": end + GAP <= complete})
    return searches.by_key(rows)
