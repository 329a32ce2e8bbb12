"""The overview as metrics of Prometheus; conf/grafana.json shows them."""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from jobs.admin.standing import Facts
from jobs.admin.states import State
from jobs.ui.overview import Overview
from jobs.ui.result_overview import ResultOverview

Samples = Iterable[tuple[list[str], float | None]]
"""Values of labels, and a number; None is unknown, and left out."""
BY_RESULT = ["result"]


def text(overview: Overview) -> bytes:
    """What a scrape gets, in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(overview))
    return bytes(generate_latest(registry))


class _Collected(Collector):
    def __init__(self, overview: Overview) -> None:
        self._overview = overview

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        results = self._overview.results
        count = len(results) + len(self._overview.unseen)
        yield _gauge("results", "Results in the folder of tables.", [], [([], count)])
        yield _gauge("log_up", "1 if the log answers.", [], [([], float(self._overview.log_fault is None))])
        yield from _health(results)
        read = [each.assessment.facts for each in results if each.assessment.facts]
        yield from _positions(read)
        yield from _quality(read)
        yield from _publications(read)
        waiting = [([r.name, each.label], float(each.is_waiting)) for r in results for each in r.deliveries]
        words = "1 if something that is published is not delivered."
        yield _gauge("result_delivery_waiting", words, ["result", "delivery"], waiting)


def _health(results: Sequence[ResultOverview]) -> Iterator[Metric]:
    states = [([r.name, state.value], float(r.assessment.state == state)) for r in results for state in State]
    yield _gauge("result_state", "1 for the state that the result has.", ["result", "state"], states)
    needs = [([r.name], float(r.assessment.needs_somebody)) for r in results]
    yield _gauge("result_needs_somebody", "1 if somebody has to act.", BY_RESULT, needs)
    taken = [([r.name], r.taken_time.timestamp()) for r in results]
    yield _gauge("result_taken_timestamp_seconds", "When these numbers were looked up.", BY_RESULT, taken)


def _positions(read: Sequence[Facts]) -> Iterator[Metric]:
    yield _counter("result_records", "Records read, good and bad.", BY_RESULT, [([f.name], f.records) for f in read])
    unread = [([f.name], f.lag.records) for f in read]
    yield _gauge("result_lag_records", "Records of the log that are not read yet.", BY_RESULT, unread)
    unread_time = [([f.name], f.lag.seconds) for f in read]
    yield _gauge("result_lag_seconds", "Record time that is not read yet.", BY_RESULT, unread_time)
    batch = [([f.name], f.batch_time.timestamp() if f.batch_time else None) for f in read]
    yield _gauge("result_last_batch_timestamp_seconds", "When the last batch was closed.", BY_RESULT, batch)
    labels = ["result", "topic", "partition"]
    places = [([f.name, topic, str(part)], at) for f in read for (topic, part), at in sorted(f.lag.offsets.items())]
    next_offsets = [(values, next_offset) for values, (next_offset, _) in places]
    yield _gauge("result_next_offset", "The next offset that the result reads.", labels, next_offsets)
    ends = [(values, end) for values, (_, end) in places]
    yield _gauge("result_end_offset", "The offset after the last record of the log.", labels, ends)


def _quality(read: Sequence[Facts]) -> Iterator[Metric]:
    behind = [([f.name], f.out_of_order) for f in read]
    yield _counter("result_out_of_order_records", "Records behind stream time.", BY_RESULT, behind)
    late = [([f.name], f.late) for f in read]
    yield _counter("result_late_records", "Records further behind than the job allows.", BY_RESULT, late)
    quantiles = ("0.5", "0.99", "1")
    lateness = [([f.name, q], seconds) for f in read for q, seconds in zip(quantiles, f.lateness, strict=True)]
    words = "So late were this part of the good records at most."
    yield _gauge("result_lateness_seconds", words, ["result", "quantile"], lateness)
    waiting = [([f.name], f.waiting) for f in read]
    yield _gauge("result_quarantined_records", "Records that wait in quarantine.", BY_RESULT, waiting)
    labels = ["result", "reason", "field"]
    reasons = [([f.name, reason, field or ""], count) for f in read for reason, field, count, _ in f.reasons]
    words = "Records that wait in quarantine, by reason and field."
    yield _gauge("result_quarantined_records_by_reason", words, labels, reasons)


def _publications(read: Sequence[Facts]) -> Iterator[Metric]:
    behind = [([f.name], f.unpublished) for f in read]
    yield _gauge("result_unpublished_batches", "Batches that are not published yet.", BY_RESULT, behind)
    newest = [([f.name], f.newest_record_time.timestamp() if f.newest_record_time else None) for f in read]
    words = "Timestamp of the newest record in the published numbers."
    yield _gauge("result_newest_record_timestamp_seconds", words, BY_RESULT, newest)
    complete = [([f.name], f.completeness.time.timestamp() if f.completeness else None) for f in read]
    yield _gauge("result_complete_timestamp_seconds", "Complete time of the result.", BY_RESULT, complete)


def _gauge(name: str, words: str, labels: list[str], samples: Samples) -> Metric:
    return _fill(GaugeMetricFamily(f"headrace_{name}", words, labels=labels), samples)


def _counter(name: str, words: str, labels: list[str], samples: Samples) -> Metric:
    return _fill(CounterMetricFamily(f"headrace_{name}", words, labels=labels), samples)


def _fill(family: CounterMetricFamily | GaugeMetricFamily, samples: Samples) -> Metric:
    for values, number in samples:
        if number is not None:
            family.add_metric(values, number)
    return family
