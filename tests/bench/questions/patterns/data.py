"""The pattern: a login that ends a streak of failures, three or more of them in the ten minutes before it.

A streak is all failures of a user since the login before. The answer has, for each such login, its id, how many
failures of the streak were at most ten minutes before it, inclusive, and when the first of these was.

For Flink, WITHIN is exclusive, so it has a millisecond more: event times are whole milliseconds. Of events of a user at
the same time the one with the lower offset is the earlier for all three; ids rise with offsets. Spark gives a row once
its watermark has passed the login: it leaves out the last ones.
"""

from questions import login_log
from questions.question import Question

ROW = "select id, failures, first_ms from found"
QUESTION = Question(
    topics=(login_log.TOPIC,),
    batches=login_log.batches,
    right="""
        with numbered as (
            select *, count(*) filter (where not failed) over (
                partition by user order by ts, id rows between unbounded preceding and 1 preceding
            ) as streak from logins
        )
        select login.id as id, count(*) as failures, min(failure.ts) as first_ms
        from numbered login join numbered failure
          on failure.user = login.user and failure.streak = login.streak and failure.failed and not login.failed
         and failure.ts >= login.ts - 600_000
        group by login.id having count(*) >= 3
    """,
    table="guessed_login_v1",
    read={
        "headrace": "select id, failure_count as failures, epoch_ms(failure_first_time) as first_ms from found",
        "spark": ROW,
        "flink": ROW,
    },
)
