"""How long a topic keeps its records, in words."""

from jobs.admin.units import length
from jobs.log.topic_summary import TopicSummary


def retention_text(topic: TopicSummary) -> str:
    """How long the home keeps its records."""
    limits = [] if topic.retention_ms is None else [length(topic.retention_ms / 1000)]
    limits += [] if topic.retention_bytes is None else [f"{topic.retention_bytes / 2**20:,.1f} MiB a partition"]
    kept = " and ".join(limits) or "for ever"
    return f"{kept}, last of each key" if topic.is_compacted else kept
