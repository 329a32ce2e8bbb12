"""The pages without a browser: who is let in, what they say, and that page, JSON and metrics say the same."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from jobs.log import home
from jobs.log.kafka import patience
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka
from jobs.running.places import Places
from jobs.ui import access, app
from jobs.ui.result_overview import ResultOverview
from jobs.ui.site_facts import SiteFacts
from tests.jobs.ui import made_results

TOKEN = "a-token-of-the-tests"
HOST = "http://localhost:8321"


def client(places: Places, token: str | None = None, show_values: bool = False) -> TestClient:
    """A browser without a token, which follows no redirect."""
    application = app.make(SiteFacts(places, show_values), token, ("localhost",))
    return TestClient(application, HOST, follow_redirects=False)


@pytest.fixture
def made(places: Places) -> Places:
    """Places with a result that is well, but for its quarantine."""
    made_results.make(places, "visits_v1", read=made_results.fill_log(places))
    return places


def samples(text: str) -> dict[tuple[str, ...], float]:
    """By name and the values of its labels, in order of the labels, each number of the metrics."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def cells(page: str, name: str) -> list[str]:
    """What stands in the row of a result."""
    found = re.search(rf'<tr data-result="{name}">(.*?)</tr>', page, re.DOTALL)
    assert found
    return [" ".join(re.sub(r"<[^>]*>", " ", cell).split()) for cell in re.findall(r"<td.*?</td>", found[1], re.DOTALL)]


def test_page_json_and_metrics_say_the_same(made: Places) -> None:
    """20 records read, 2 of them late, 2 waiting in quarantine; all that the log has."""
    with client(made) as browser:
        page, metrics = browser.get("/").text, samples(browser.get("/metrics").text)
        [row] = browser.get("/api/overview.json").json()["results"]
    assert (row["records"], row["late"], row["quarantined"], row["lag_records"]) == (20, 2, 2, 0)
    shown = cells(page, "visits_v1")
    assert shown[0] == "visits_v1 visits"
    assert shown[1].startswith(row["state"]) and row["reason"] in shown[1].replace("&#39;", "'")
    assert shown[4:] == ["none", "20", "2", "2", "up to date", "-"]
    assert sum(row["records_by_hour"].values()) == 20
    assert 'aria-label="20 records read in the last 24 hours, most from ' in page and " style=" not in page
    for metric, field in (
        ("records_total", "records"),
        ("late_records_total", "late"),
        ("quarantined_records", "quarantined"),
        ("lag_records", "lag_records"),
        ("unpublished_batches", "unpublished_batches"),
    ):
        assert metrics[f"headrace_result_{metric}", "visits_v1"] == row[field]
    states = {labels[2]: value for labels, value in metrics.items() if labels[0] == "headrace_result_state"}
    assert [state for state, value in states.items() if value] == [row["state"]]
    assert metrics["headrace_result_quarantined_records_by_reason", "site", "wrong_type", "visits_v1"] == 1


def test_the_dashboard_of_grafana_shows_metrics_that_there_are(made: Places) -> None:
    dashboard = json.loads((Path(__file__).parents[3] / "conf" / "grafana.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    named = {name for expression in asked for name in re.findall(r"headrace_\w+", expression)}
    with client(made) as browser:
        there = {labels[0] for labels in samples(browser.get("/metrics").text)}
    assert len(named) > 8
    assert named - there == {"headrace_result_delivery_waiting"}, "this result delivers nothing"


def test_without_the_token_nothing_is_shown(made: Places) -> None:
    with client(made, TOKEN) as browser:
        for path in ("/", "/metrics", "/api/overview.json", "/static/page.css", "/results/visits_v1", "/nothing"):
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "headrace=wrong"}):
                answer = browser.get(path, headers=headers)
                assert answer.status_code == 401 and "visits" not in answer.text, path
        assert browser.get("/?token=wrong").status_code == 401
        assert browser.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_the_link_gives_a_cookie_and_takes_the_token_out_of_the_address(made: Places) -> None:
    with client(made, TOKEN) as browser:
        answer = browser.get(f"/results/visits_v1?kind=a%20b&token={TOKEN}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/results/visits_v1?kind=a+b")
        assert re.search("httponly", answer.headers["set-cookie"], re.IGNORECASE)
        assert browser.get("/").status_code == 200
        away = browser.get(f"//example.org/?token={TOKEN}").headers["location"]
        assert away.startswith("/") and not away.startswith("//")


@pytest.mark.parametrize("host", ["example.org", "localhost.example.org", "127.0.0.1.example.org:8321", ""])
def test_a_name_that_is_not_the_servers_is_refused(made: Places, host: str) -> None:
    with client(made) as browser:
        answer = browser.get("/", headers={"Host": host})
    assert answer.status_code == 421 and "visits" not in answer.text


def test_it_only_reads(made: Places) -> None:
    with client(made) as browser:
        assert {browser.request(method, "/").status_code for method in ("POST", "PUT", "DELETE")} == {405}


def test_each_answer_forbids_scripts_of_others(made: Places) -> None:
    with client(made) as browser:
        for path in ("/", "/nothing", "/metrics", "/static/page.js"):
            policy = browser.get(path).headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy and "//" not in policy


def test_a_token_that_can_be_guessed_is_refused() -> None:
    assert access.make_token(None) != access.make_token(None)
    for given in ("short", "with a blank in it", ""):
        with pytest.raises(Refused, match="HEADRACE_UI_TOKEN is no token"):
            access.make_token(given)


HOSTILE = '<script>alert("1")</script>'


@pytest.fixture
def hostile(places: Places) -> Iterator[TestClient]:
    """A result whose topic, columns and groups have names that are no names."""
    sites = (HOSTILE, "' or 1=1 --", 'a "quoted" one', "x" * 300)
    made_results.make(places, "hostile_v1", topic=HOSTILE, group=HOSTILE.replace("/", "|"), sites=sites)
    with client(places) as browser:
        yield browser


def test_hostile_names_stay_text(hostile: TestClient) -> None:
    for path in ("/", "/doctor", "/log", "/results/hostile_v1", "/results/hostile_v1/quarantine"):
        answer = hostile.get(path)
        assert answer.status_code == 200, path
        assert "<script>alert" not in answer.text, path
    assert "&lt;script&gt;alert" in hostile.get("/results/hostile_v1").text
    assert "<b>it</b>" not in hostile.get("/results/hostile_v1").text
    answer = hostile.get(f"/results/{HOSTILE.replace('/', '%2f')}")
    assert answer.status_code == 404 and "<script>alert" not in answer.text


def test_windows_of_a_group_with_a_hostile_name(hostile: TestClient) -> None:
    """The fourth and the second site; an hour has 10 visits more than the one before."""
    for number, site in ((1, "' or 1=1 --"), (2, 'a "quoted" one'), (3, "x" * 300)):
        chart = {"kind": "tumbling 1 hour", "group": site, "measure": "visits"}
        drawn = hostile.get("/api/results/hostile_v1/charts/windows.json", params=chart).json()
        assert [row["value"] for row in drawn["data"]["values"] if row["end"]] == [
            10 * hour + number for hour in range(6)
        ]
    wrong = hostile.get("/api/results/hostile_v1/charts/windows.json", params={"kind": "x' or '1' = '1"})
    assert wrong.status_code == 404


def test_what_is_in_a_record_is_shown_only_on_request(made: Places) -> None:
    paths = ("/", "/results/visits_v1", "/results/visits_v1/quarantine", "/api/results/visits_v1/quarantine.json")
    with client(made) as browser:
        assert not [path for path in paths if "secret-value" in browser.get(path).text]
        [first, second] = browser.get(paths[-1]).json()["records"]
    assert [(each["reason"], each["field"], each["offset"]) for each in (first, second)] == [
        ("not_json", None, 1),
        ("wrong_type", "site", 0),
    ]
    assert not {"key", "value"} & first.keys()
    with client(made, show_values=True) as browser:
        assert "secret-value" in browser.get(paths[2]).text and "secret-value" in browser.get(paths[3]).text
        only = browser.get(paths[3], params={"reason": "wrong_type"}).json()["records"]
    assert [each["offset"] for each in only] == [0]


def test_a_result_with_its_corrections_charts_and_tables(made: Places) -> None:
    """Two of twelve windows were published twice; one batch of 15 records, and one of 5."""
    with client(made) as browser:
        known = browser.get("/api/results/visits_v1.json").json()
        page = browser.get("/results/visits_v1").text
    assert known["corrections"] == [{"revision": 1, "rows": 10}, {"revision": 2, "rows": 2}]
    assert sum(span["records"] for span in known["history"]) == 20
    assert sum(span["late"] for span in known["history"]) == 2
    assert max(span["lateness_max_seconds"] for span in known["history"]) == 7200
    assert "corrected 1 time" in page and "Where &lt;b&gt;it&lt;/b&gt; was." in page
    [table, *_] = known["described_tables"]
    assert (table["name"], table["rows"], table["columns"][4]["comment"]) == ("visits_v1", 12, "Visits of the window.")


def test_how_the_last_run_ended_is_said(made: Places) -> None:
    beside_the_ledger = Path(made.table("visits_v1_ledger"), "_last_run.json")
    times = '"start_time": "2026-11-23T05:10:00+00:00", "end_time": "2026-11-23T05:10:03+00:00"'
    beside_the_ledger.write_text(
        f'{{"host": "h", "process": 1, {times}, "end": "failed", "error": "the disk is full"}}'
    )
    with client(made) as browser:
        page = browser.get("/results/visits_v1").text
        [row] = browser.get("/api/overview.json").json()["results"]
    assert row["last_run"] == "failed at 2026-11-23 05:10:03 UTC: the disk is full"
    assert f"the last run: {row['last_run']}" in page and row["state"] == "wrong"


def test_the_log_says_what_there_is_and_who_reads_it(made: Places) -> None:
    ends = home.topic(made, "visits").ends
    made_results.make(made, "other_v1", topic="nothing")
    with client(made) as browser:
        nothing, visits = browser.get("/api/log.json").json()["topics"]
        page = browser.get("/log").text
    assert (visits["name"], visits["readers"], visits["summary"]["records"]) == ("visits", ["visits_v1"], 20)
    assert visits["summary"]["ends"] == {str(partition): end for partition, end in ends.items()}
    assert (nothing["name"], nothing["readers"], nothing["summary"]) == ("nothing", ["other_v1"], None)
    assert "; ".join(f"{partition}: {end}" for partition, end in sorted(ends.items())) in page


def test_the_lines_for_pandas_and_duckdb_read_the_table(made: Places, capsys: pytest.CaptureFixture[str]) -> None:
    with client(made) as browser:
        [table, *_] = browser.get("/api/results/visits_v1.json").json()["described_tables"]
    names: dict[str, object] = {}
    lines = {each["tool"]: each["line"] for each in table["reading"]}
    exec(lines["pandas"], names)
    assert len(names["rows"]) == 12  # type: ignore[arg-type]
    exec(lines["DuckDB"], names)
    assert "10 rows" in capsys.readouterr().out


def test_what_is_not_there_is_said(made: Places) -> None:
    with client(made) as browser:
        answer = browser.get("/results/other_v1")
        assert answer.status_code == 404 and "no result other_v1" in answer.text and "visits_v1" in answer.text
        answer = browser.get("/api/results/other_v1.json")
        assert answer.status_code == 404 and "no result other_v1" in answer.json()["error"]


def test_a_result_that_is_wrong_comes_first_with_its_remedy(made: Places) -> None:
    made_results.make(made, "lost_v1")
    Path(made.table("lost_v1")).rename(made.table("elsewhere"))
    with client(made) as browser:
        page, doctor = browser.get("/").text, browser.get("/doctor").text
        found = browser.get("/api/doctor.json").json()["findings"]["lost_v1"]
    assert re.findall(r'data-result="(\w+)"', page)[0] == "lost_v1"
    assert cells(page, "lost_v1")[1].startswith("wrong")
    assert [each for each in found if each["wrong"] and "is gone" in each["what"]]
    assert f"move all its tables away ({made.table('lost_v1')}*)" in doctor


def test_a_broker_that_is_away_is_said_and_what_the_ledgers_know_is_shown(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens on port 1."""
    monkeypatch.setattr(patience, "LOOK_SECONDS", 1.0)
    made_results.make(places, "visits_v1")
    away = places.model_copy(update={"log": "kafka", "kafka": Kafka(servers="127.0.0.1:1")})
    facts = SiteFacts(away)
    facts.overview(patience_seconds=60)
    with TestClient(app.make(facts, None, ("localhost",)), HOST) as browser:
        page = browser.get("/").text
        metrics = samples(browser.get("/metrics").text)
        first = browser.get("/log").text
        log = browser.get("/log").text
        while 'id="asking"' in log:  # as the page does
            log = browser.get("/log").text
        answer = browser.get("/api/log.json")
    assert "asking the broker 127.0.0.1:1" in first and "127.0.0.1:1 does not answer" not in first
    for shown in (first, log):
        assert "read by" in shown and "What the log holds of it is not known." in shown
    assert "127.0.0.1:1 does not answer" in page and "127.0.0.1:1 does not answer" in log
    assert answer.status_code == 503 and "127.0.0.1:1 does not answer" in answer.json()["error"]
    assert cells(page, "visits_v1")[4:7] == ["unknown", "20", "2"]
    assert metrics["headrace_log_up",] == 0
    assert ("headrace_result_lag_records", "visits_v1") not in metrics


def test_a_fault_that_nobody_expects_is_said(made: Places) -> None:
    def take(places: Places, name: str) -> ResultOverview:
        raise RuntimeError

    facts = SiteFacts(made, take=take)
    with TestClient(app.make(facts, None, ("localhost",)), HOST) as browser:
        assert "the results cannot be looked up: " in browser.get("/").text
        answer = browser.get("/results/visits_v1")
    assert answer.status_code == 500 and "This cannot be shown: " in answer.text


def test_a_folder_without_results(places: Places) -> None:
    with client(places) as browser:
        assert "No results yet" in browser.get("/").text
        assert browser.get("/metrics").status_code == 200
