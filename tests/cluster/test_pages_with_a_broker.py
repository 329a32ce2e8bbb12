"""The pages of a result whose log is in a broker: what it holds of each topic, and how far the result is behind."""

import re
import time
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from jobs import run
from jobs.keeping import ledger
from jobs.log.kafka import producer, topics
from jobs.ui import app
from jobs.ui.site_facts import SiteFacts
from tests.cluster.broker import Broker
from tests.cluster.keeping import make
from tests.jobs.keeping import readings
from tests.jobs.ui import made_results


def row(page: str, attribute: str) -> list[str]:
    """The cells of a row of a table."""
    [found] = re.findall(rf"<tr {attribute}>(.*?)</tr>", page, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", " ", cell).split()) for cell in re.findall(r"<td.*?</td>", found, re.DOTALL)]


def wait_for_lag(browser: TestClient, facts: SiteFacts, lag: str) -> None:
    """Until the overview says so, as a person would who leaves the page open."""
    deadline = time.monotonic() + 60
    while True:
        facts.overview(patience_seconds=60)
        shown = row(browser.get("/").text, 'data-result="shown_v1"')[4].split()[0]
        if shown == lag:
            return
        assert time.monotonic() < deadline, f"the lag is still {shown}"
        time.sleep(0.5)


def topics_of_the_log(browser: TestClient) -> list[dict[str, Any]]:
    """As soon as the broker, which others ask meanwhile, has answered in time."""
    deadline = time.monotonic() + 120
    while (answer := browser.get("/api/log.json")).status_code == 503 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["topics"]
    return found


def test_the_log_and_the_lag(broker: Broker, kafka_places: Path) -> None:
    """Of 12 records in three partitions it has read 3; 4 more come while somebody looks."""
    places = run.places(kafka_places)
    assert places.kafka
    topic = make(broker, "shown", 3)
    records = readings.log(each=4)
    producer.append(places.kafka, topic, 3, [readings.batch(records)])
    position: dict[str, Any] = {"log_home": "kafka", "topic_id": topics.require(places.kafka, topic).id}
    last = made_results.make(places, "shown_v1", topic, read={0: 3, 1: 0, 2: 0}, **position)
    facts = SiteFacts(places)
    with TestClient(app.make(facts, None, ("localhost",)), "http://localhost:8321") as browser:
        wait_for_lag(browser, facts, "9")
        [held] = [each for each in topics_of_the_log(browser) if each["name"] == topic]
        assert (held["readers"], held["summary"]["records"]) == (["shown_v1"], 12)
        assert held["summary"]["ends"] == {"0": 4, "1": 4, "2": 4}
        shown = row(browser.get("/log").text, f'data-topic="{topic}"')
        assert shown[0] == "shown read by shown_v1" and shown[1] == "12" and shown[-1] == "0: 4; 1: 4; 2: 4"
        more = [each._replace(partition=0) for each in records[:4]]
        producer.append(places.kafka, topic, 3, [readings.batch(more)])
        wait_for_lag(browser, facts, "13")
        ledger.write(places, "shown_v1", last.next("batch", end_offsets=topics.require(places.kafka, topic).ends))
        wait_for_lag(browser, facts, "none")
