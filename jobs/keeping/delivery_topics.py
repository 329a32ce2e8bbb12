"""Two results must not deliver to one topic: nothing would tell their records apart, which have the same keys."""

from jobs.answers.delivery import Topic, delivery_topic
from jobs.answers.result import Result
from jobs.keeping import ledger
from jobs.keeping.ledger import Row
from jobs.running.errors import Refused
from jobs.running.places import Places


def check_free(places: Places, result: Result, last: Row | None) -> None:
    """Raises Refused if the result is to begin to deliver to a topic to which another one of the same folder of tables
    delivers, by their ledgers. `last`: the last row of its own ledger.
    """
    has_begun = last.delivered_sequence if last else {}
    begins = {each.topic for each in result.deliver if isinstance(each, Topic) and each.label not in has_begun}
    for name in ledger.results(places) if begins else ():
        other = ledger.last(places, name) if name != result.name else None
        shared = sorted(begins & set(map(delivery_topic, other.delivered_sequence))) if other else []
        if shared:
            raise Refused(
                f"{result.name} is to deliver to topic {shared[0]}, and {name} does: nothing would tell their records "
                f"apart. Deliver to a topic of its own. Or take this one over: take the delivery out of the job of "
                f"{name} and run that to its end once, or retire {name}."
            )
