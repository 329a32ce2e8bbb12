"""Charts as specifications of Vega-Lite, with the numbers in them. The page gives them their colours.

They are plain dictionaries: a library that writes them would be the largest that the server needs.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from jobs.running.instants import to_micros
from jobs.ui.history import Span

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
"""The version of Vega-Lite that is shipped; nothing is fetched from there."""
Spec = dict[str, Any]
_WRITTEN = ((600, "%H:%M:%S"), (86_400, "%H:%M"), (7 * 86_400, "%d %b %H:%M"))
"""How a time is written where all lie within so many seconds."""
BATCHES = "batches closed at (UTC)"
_UNITS = ((86_400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


def records(spans: Sequence[Span]) -> Spec:
    """Records by the time in which their batch was closed, and those of them that are in quarantine or late."""
    kinds = ("good, in time", "late", "quarantined")
    values = []
    for span in spans:
        counts = (max(0, span.records - span.quarantined - span.late), span.late, span.quarantined)
        for what, count, top in zip(kinds, counts, itertools.accumulate(counts), strict=True):
            place = {"start": _time(span.start), "end": _time(span.end), "from": top - count, "to": top}
            values.append(place | {"what": what, "records": count})
    encoding = {
        "x2": {"field": "end"},
        "y": {"field": "from", "type": "quantitative", "axis": _numbers("records")},
        "y2": {"field": "to"},
        "color": {"field": "what", "type": "nominal", "sort": list(kinds), "legend": _legend()},
        "tooltip": [_tip("start", "from"), _tip("what", "records"), _tip("records", "count")],
    }
    layer = {"mark": {"type": "rect", "tooltip": True}, "encoding": encoding}
    return _chart(values, _whole(spans), BATCHES, [layer])


def lateness(spans: Sequence[Span]) -> Spec:
    """How late records were, by the time in which their batch was closed."""
    size, unit = unit_of(max((span.lateness_max_seconds for span in spans), default=0))
    names = {"half": "lateness_p50_seconds", "99 of 100": "lateness_p99_seconds", "all": "lateness_max_seconds"}
    values = [
        {"start": _time(span.start), "what": what, "lateness": getattr(span, field) / size}
        for span in spans
        for what, field in names.items()
    ]
    encoding = {
        "y": {"field": "lateness", "type": "quantitative", "axis": _numbers(f"at most so late, {unit}")},
        "color": {"field": "what", "type": "nominal", "sort": list(names), "legend": _legend("of the records")},
        "strokeDash": {"field": "what", "type": "nominal", "sort": list(names), "legend": None},
        "tooltip": [_tip("start", "from"), _tip("what", "of the records"), _tip("lateness", f"at most, {unit}")],
    }
    point = {"filled": True, "size": 30}
    layer = {"mark": {"type": "line", "point": point, "tooltip": True}, "encoding": encoding}
    return _chart(values, _whole(spans), BATCHES, [layer])


def windows(rows: Sequence[dict[str, Any]], measure: str, by: Sequence[str]) -> Spec:
    """One value of windows, by their start: a step as long as the window, and a line for each group. `rows`: in order
    of group and time.
    """
    groups = list(dict.fromkeys(row["group"] for row in rows))
    values = [_value(row["start"], row["group"], row["value"], row["end"]) for row in rows]
    for row, after in itertools.zip_longest(rows, rows[1:]):
        is_same = after is not None and after["group"] == row["group"]
        if not is_same or after["start"] > row["end"]:  # then the line ends with the window
            values += [_value(row["end"], row["group"], row["value"]), _value(row["end"], row["group"], None)]
    values.sort(key=lambda value: (value["group"], value["start"]))
    encoding: dict[str, Any] = {
        "y": {"field": "value", "type": "quantitative", "axis": _numbers(measure)},
    }
    if by:
        encoding["color"] = {"field": "group", "type": "nominal", "sort": groups, "legend": _legend(", ".join(by))}
    tips = [_tip("start", "from"), _tip("end", "to"), _tip("group", ", ".join(by)), _tip("value", measure)]
    point: Spec = {"mark": {"type": "point", "filled": True, "size": 22, "tooltip": True}}
    point |= {"encoding": encoding | {"tooltip": tips}, "transform": [{"filter": "datum.end != null"}]}
    line = {"mark": {"type": "line", "interpolate": "step-after", "invalid": "break-paths-show-domains"}}
    span = (min(row["start"] for row in rows), max(row["end"] for row in rows)) if rows else None
    return _chart(values, span, "start of the window (UTC)", [line | {"encoding": encoding}, point])


def _whole(spans: Sequence[Span]) -> tuple[datetime, datetime] | None:
    return (spans[0].start, spans[-1].end) if spans else None


def _value(start: datetime, group: str, value: float | None, end: datetime | None = None) -> Spec:
    return {"start": _time(start), "end": None if end is None else _time(end), "group": group, "value": value}


def unit_of(seconds: float) -> tuple[int, str]:
    """The unit, with its seconds, that suits a length."""
    return next(((size, unit) for size, unit in _UNITS if seconds >= 2 * size), _UNITS[-1])


def _chart(values: list[Spec], span: tuple[datetime, datetime] | None, title: str, layers: list[Spec]) -> Spec:
    """`span`: from when to when its times are; the axis of time is not shorter than a minute."""
    if span is None:
        return {"$schema": SCHEMA, "data": {"values": []}, "mark": "point"}
    first, last = span[0], max(span[1], span[0] + timedelta(minutes=1))
    whole = (last - first).total_seconds()
    written = next((text for seconds, text in _WRITTEN if whole < seconds), "%Y-%m-%d")
    axis = {"title": title, "format": written, "labelOverlap": True, "labelSeparation": 8, "grid": False}
    axis["tickCount"] = {"expr": "max(2, floor(width / 110))"}
    x = {"field": "start", "type": "temporal", "scale": {"type": "utc"}, "axis": axis}
    ends = {
        "data": {"values": [{"start": _time(first)}, {"start": _time(last)}]},
        "mark": {"type": "point", "opacity": 0},
    }
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": 220,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "data": {"values": values},
        "encoding": {"x": x},
        "layer": [*layers, ends],
    }


def _numbers(title: str) -> Spec:
    return {"title": title[:60], "format": "~s", "tickCount": 5}


def _legend(title: str | None = None) -> Spec:
    return {"title": title, "orient": "bottom", "columns": 3, "labelLimit": 80, "symbolType": "square"}


def _tip(field: str, title: str) -> Spec:
    if field in ("start", "end"):
        return {"field": field, "type": "temporal", "title": title, "timeUnit": "utcyearmonthdatehoursminutesseconds"}
    kind = "quantitative" if field in ("value", "records", "lateness") else "nominal"
    return {"field": field, "type": kind, "title": title} | ({"format": ",.4~f"} if kind == "quantitative" else {})


def _time(moment: datetime) -> int:
    """Milliseconds since 1970, as the browser counts time."""
    return to_micros(moment) // 1000
