"""The sessions of each user: logins less than five minutes apart, how many, and how many of them failed.

For headrace a silence of exactly five minutes ends a session; for Spark and Flink only a longer one does. So their gap
is a millisecond shorter: event times are whole milliseconds, and all three have the same sessions. Spark leaves out the
sessions that its last watermark has not closed.
"""

from questions import login_log
from questions.question import Question

COLUMNS = "user, {start} as start_ms, {end} as end_ms, events, failures"
WINDOW = COLUMNS.format(start="epoch_ms(window_start)", end="epoch_ms(window_end) - 299_999")
"""Of the peers: it ends a gap after the last event."""
QUESTION = Question(
    topics=(login_log.TOPIC,),
    batches=login_log.batches,
    right="""
        with marked as (
            select *, coalesce(ts - lag(ts) over (partition by user order by ts) >= 300_000, true) as is_first
            from logins
        ), numbered as (
            select *, count(*) filter (where is_first) over (
                partition by user order by ts rows unbounded preceding
            ) as session from marked
        )
        select user, min(ts) as start_ms, max(ts) as end_ms, count(*) as events,
               count(*) filter (where failed) as failures
        from numbered group by user, session
    """,
    table="login_session_v1",
    read={
        "headrace": f"""
            select {COLUMNS.format(start="epoch_ms(session_start)", end="epoch_ms(session_end)")}
            from (select *, failed_count as failures from found)
        """,
        "spark": f"select {WINDOW} from found",
        "flink": f"select {WINDOW} from found",
    },
)
