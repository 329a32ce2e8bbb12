"""The pages in a real browser: nothing sticks out, the keyboard reaches all, and no other server is asked."""

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from jobs.keeping import ledger
from jobs.log.kafka import patience
from jobs.running.kafka_access import Kafka
from jobs.running.places import Places
from jobs.ui import result_overview
from jobs.ui.result_overview import ResultOverview
from jobs.ui.site_facts import SiteFacts
from tests.jobs.ui import made_results
from tests.jobs.ui.browser import (
    TOKEN,
    WIDTHS,
    Chrome,
    open_browser,
    serving,
    set_colors,
    set_width,
    wait_until,
)

pytestmark = pytest.mark.slow

HOSTILE = '<script>alert("1")</script>'
LONG = "x" * 300
PAGES = (
    "/",
    "/results/visits_v1",
    "/results/hostile_v1",
    "/results/lost_v1",
    "/results/hostile_v1/quarantine",
    "/log",
    "/doctor",
    "/results/none_v1",
)
CHARTS = "return [...document.querySelectorAll('figure[data-chart]')].every((figure) => figure.dataset.drawn)"

LINES = "return document.querySelectorAll('#windows-chart .mark-line path').length"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """A result with something in quarantine, one with a table that is gone, one with names that are no names."""
    here = tmp_path_factory.mktemp("pages")
    places = Places(archive=f"{here}/archive", tables=f"{here}/tables", checkpoints=f"{here}/checkpoints")
    ends = made_results.fill_log(places)
    waiting = {"topic:outcomes": 2}
    made_results.make(places, "visits_v1", read=ends, delivered_sequence=waiting)
    made_results.make(places, "lost_v1", read=ends)
    shutil.move(places.table("lost_v1"), here / "elsewhere")
    sites = (HOSTILE, "' or 1=1 --", LONG)
    made_results.make(places, "hostile_v1", topic=HOSTILE, group=LONG, sites=sites)
    return places


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    made = open_browser()
    yield made
    made.quit()


@pytest.fixture(scope="module")
def site(folder: Places, browser: Chrome) -> Iterator[str]:
    """The address of a server whose link was opened in the browser."""
    with serving(folder, show_values=True) as address:
        enter(browser, address)
        yield address


def enter(browser: Chrome, address: str) -> None:
    """Open the link that the server prints, and wait until all results were looked up."""
    browser.get(f"{address}/?token={TOKEN}")
    assert browser.current_url == f"{address}/"
    wait_until(browser, "return document.querySelector('#results') && !document.querySelector('#unseen')")


def renew(browser: Chrome) -> None:
    """Let the page ask for itself now, as when somebody comes back to it, and wait until it has what is new."""
    browser.execute_script("""window.settled = false;
        document.addEventListener('htmx:afterSettle', () => { window.settled = true }, { once: true });
        document.dispatchEvent(new Event('visibilitychange'))""")
    wait_until(browser, "return window.settled")


def console(browser: Chrome) -> list[str]:
    """What the console has said since the last time, but for answers that a test has asked for."""
    return [entry["message"] for entry in browser.get_log("browser") if "status of 404" not in entry["message"]]


def hosts(browser: Chrome) -> set[str | None]:
    """Whom the pages have asked since the last time."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
    return {urlsplit(url).hostname for url in urls if not url.startswith("data:")}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_at_three_widths(browser: Chrome, site: str, path: str) -> None:
    """It is as wide as the window, says nothing to the console, and asks this server alone."""
    browser.get(site + path)
    wait_until(browser, CHARTS)
    for width in WIDTHS:
        set_width(browser, width)
        shown, wide = browser.execute_script(
            "return [document.documentElement.clientWidth, document.documentElement.scrollWidth]"
        )
        assert shown > width - 20 and wide <= shown, (path, width, wide)
        outside = browser.execute_script(
            """return [...document.querySelectorAll('main *')].filter((each) => each.offsetParent
                && !each.closest('.scroll, .plot') && each.getBoundingClientRect().right > innerWidth + 1)
                .map((each) => each.outerHTML.slice(0, 80))"""
        )
        assert not outside, (path, width)
    assert not console(browser)
    assert hosts(browser) == {"127.0.0.1"}


def test_names_are_shown_and_not_run(browser: Chrome, site: str) -> None:
    browser.get(f"{site}/results/hostile_v1")
    wait_until(browser, CHARTS)
    assert HOSTILE in browser.find_element(By.TAG_NAME, "main").text
    options = browser.find_elements(By.CSS_SELECTOR, "select[name=group] option")
    assert {option.text for option in options} >= {HOSTILE, LONG, "' or 1=1 --"}
    inline = browser.execute_script("return [...document.scripts].filter((script) => !script.src).length")
    assert inline == 0


def test_a_policy_stops_what_slips_through(browser: Chrome, site: str) -> None:
    """A script in the page, and code that is made of text, do not run."""
    browser.get(site)
    added = "const made = document.createElement('script'); made.text = 'window.ran = 1'; document.body.append(made)"
    browser.execute_script(added)
    assert browser.execute_script("return window.ran") is None
    assert "Content Security Policy" in console(browser)[0]


def test_the_keyboard_reaches_each_result_and_shows_where_it_is(browser: Chrome, site: str) -> None:
    """In the order of the page; each place has a frame."""
    browser.get(site)
    set_width(browser, 1000)
    reached: list[str] = []
    for _ in range(30):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        here: WebElement = browser.switch_to.active_element
        if here.tag_name == "body":
            break
        assert browser.execute_script("return getComputedStyle(arguments[0]).outlineStyle", here) == "solid"
        reached.append(here.text or str(here.get_attribute("name")))
    names = [name for name in reached if name.endswith("_v1")]
    assert names == ["lost_v1", "hostile_v1", "visits_v1"] or names == ["hostile_v1", "lost_v1", "visits_v1"]
    assert reached[:5] == ["to the content", "headrace", "Overview", "Log", "Doctor"]
    assert "q" in reached and "2" in reached


def test_a_page_renews_itself_and_leaves_where_somebody_is(browser: Chrome, places: Places) -> None:
    """By itself, again and again: a number that has changed, and a row that has moved. Focus, scrolling, what is typed
    and what is open stay. The policy of the page has nothing to say.
    """
    ends = made_results.fill_log(places)
    last = made_results.make(places, "visits_v1", read=ends)
    with serving(places) as address:
        enter(browser, address)
        set_width(browser, 400, 300)
        listen = (
            "window.stopped = []; addEventListener('securitypolicyviolation', (each) => stopped.push(each.blockedURI))"
        )
        browser.execute_script(listen)
        browser.find_element(By.NAME, "q").send_keys("vis")
        browser.execute_script("document.getElementById('result-visits_v1').focus(); scrollTo(0, 150)")
        for number in (1, 2):  # it goes on after it has renewed itself
            last = ledger.write(places, "visits_v1", last.next("batch", records=1000))
            shown = f"{made_results.READ + 1000 * number:,}"
            cell = "document.querySelector('#results td[data-label=read]').textContent"
            wait_until(browser, f"return {cell} == '{shown}'")
        made_results.make(places, "a_v1", read=ends)
        Path(places.table("a_v1")).rename(places.table("elsewhere"))
        wait_until(browser, "return document.querySelector('#results tbody tr').dataset.result == 'a_v1'")
        assert browser.switch_to.active_element.get_attribute("id") == "result-visits_v1"
        assert browser.find_element(By.NAME, "q").get_attribute("value") == "vis"
        assert browser.execute_script("return scrollY") > 0
        assert browser.execute_script("return stopped") == []
        assert not console(browser)


def test_what_is_chosen_and_open_stays_when_the_page_renews_itself(browser: Chrome, site: str) -> None:
    """The plot, too, is the same; a button without a name keeps the focus."""
    browser.get(f"{site}/results/visits_v1")
    wait_until(browser, CHARTS)
    browser.find_element(By.NAME, "group").send_keys("south")
    wait_until(browser, f"{LINES} == 1")
    browser.execute_script("""
        document.querySelector('#windows-chart svg').wasHere = true;
        document.querySelectorAll('details')[1].open = true;
        document.querySelector('.scroll').wasHere = true;
        document.querySelector('button[data-copy]').focus()""")
    renew(browser)
    assert browser.switch_to.active_element.text == "copy"
    assert browser.find_element(By.NAME, "group").get_attribute("value") == "south"
    kept = """return [document.querySelector('#windows-chart svg').wasHere,
        document.querySelectorAll('details')[1].open, document.querySelector('.scroll').wasHere]"""
    assert browser.execute_script(kept) == [True, True, True]
    browser.refresh()
    wait_until(browser, CHARTS)
    assert browser.execute_script(LINES) == 1
    assert not console(browser)


def test_a_chart_is_drawn_anew_after_a_further_batch(browser: Chrome, places: Places) -> None:
    """Of two batches there are bars, and of a third one that was closed just now."""
    last = made_results.make(places, "visits_v1", read=made_results.fill_log(places))
    with serving(places) as address:
        browser.get(f"{address}/results/visits_v1?token={TOKEN}")
        wait_until(browser, CHARTS)
        drawn = browser.find_element(By.ID, "records-chart").get_attribute("data-drawn")
        ledger.write(places, "visits_v1", last.next("batch", records=1000))
        changed = "return document.getElementById('records-chart').dataset.drawn != arguments[0]"
        wait_until(browser, changed, drawn)
        spec = json.loads(str(browser.find_element(By.ID, "records-chart").get_attribute("data-drawn")))
        assert sum(bar["records"] for bar in spec["data"]["values"]) == made_results.READ + 1000


def test_another_group_and_value_are_drawn(browser: Chrome, site: str) -> None:
    """Of one group the chart has one line; the choice needs no further page."""
    browser.get(f"{site}/results/visits_v1")
    wait_until(browser, CHARTS)
    assert browser.execute_script(LINES) == 2
    before = browser.find_element(By.CSS_SELECTOR, "figure[data-chart*=windows] .plot").text
    browser.find_element(By.NAME, "group").send_keys("south")
    browser.find_element(By.NAME, "measure").send_keys("stay")
    wait_until(browser, f"{LINES} == 1")
    wait_until(browser, "return document.querySelector('figure .plot').textContent.includes('stay_minutes_mean')")
    assert "stay_minutes_mean" not in before
    assert not console(browser)


def test_a_result_that_is_wrong_says_what_to_do(browser: Chrome, site: str, folder: Places) -> None:
    browser.get(site)
    row = browser.find_element(By.CSS_SELECTOR, "tr[data-result=lost_v1]")
    assert "wrong" in row.text and f"the table {folder.table('lost_v1')} is gone" in row.text
    row.find_element(By.TAG_NAME, "a").click()
    assert browser.find_element(By.TAG_NAME, "h1").text == "lost_v1"
    box = browser.find_element(By.CSS_SELECTOR, ".finding.is-wrong").text
    assert "what to do: Bring it back from a backup" in box


def test_both_schemes_of_colours_can_be_read(browser: Chrome, site: str) -> None:
    """Text of the states against its background: 4.5 to 1, as WCAG asks."""
    contrast = """
        const part = (text) => text.match(/[\\d.]+/g).slice(0, 3).map((each) => each / 255)
            .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
        const light = (text) => part(text).reduce((sum, each, n) => sum + each * [0.2126, 0.7152, 0.0722][n], 0);
        return [...document.querySelectorAll('.state')].map((each) => {
            const style = getComputedStyle(each);
            const [low, high] = [light(style.color), light(style.backgroundColor)].sort((a, b) => a - b);
            return (high + 0.05) / (low + 0.05);
        })"""
    for scheme in ("light", "dark"):
        set_colors(browser, scheme)
        browser.get(f"{site}/doctor")
        found = browser.execute_script(contrast)
        assert found and min(found) >= 4.5, scheme
    set_colors(browser, "light")


def test_a_broker_and_a_server_that_are_away(browser: Chrome, folder: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens on port 1. The page is there at once, and says so when it knows."""
    monkeypatch.setattr(patience, "LOOK_SECONDS", 2.0)
    away = folder.model_copy(update={"log": "kafka", "kafka": Kafka(servers="127.0.0.1:1")})
    with serving(away) as address:
        enter(browser, address)
        said = wait_until(browser, "return document.getElementById('log-fault')?.textContent")
        assert "127.0.0.1:1 does not answer" in said
        row = browser.find_element(By.CSS_SELECTOR, "tr[data-result=visits_v1]").text
        assert "unknown" in row and "20" in row
    wait_until(browser, "return !document.getElementById('lost').hidden")
    browser.get_log("browser")  # the server has gone


def test_two_hundred_results(browser: Chrome, places: Places) -> None:
    """The page comes before all have been looked up, and fits. One is looked up, and stands for the others."""
    made_results.make(places, "copied_0")
    for number in range(1, 200):
        Path(places.table(f"copied_{number}_ledger")).mkdir()
    known, go_on = result_overview.take(places, "copied_0"), threading.Event()

    def take(_: Places, name: str) -> ResultOverview:
        assert name < "copied_3" or go_on.wait(60)
        return replace(known, assessment=replace(known.assessment, name=name))

    with serving(places, SiteFacts(places, take=take)) as address:
        browser.get(f"{address}/?token={TOKEN}")
        assert "200" in browser.find_element(By.ID, "state-all").text
        assert len(browser.find_elements(By.CSS_SELECTOR, "#results tbody tr")) == 123  # 0 to 2, 10 to 29, 100 to 199
        assert "77 results not looked at yet" in browser.find_element(By.ID, "unseen").text
        go_on.set()
        wait_until(browser, "return document.querySelectorAll('#results tbody tr').length == 200")
        browser.find_element(By.NAME, "q").send_keys("copied_19", Keys.ENTER)
        wait_until(browser, "return document.querySelectorAll('#results tbody tr').length == 11")
        set_width(browser, 400)
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")


def test_a_picture_of_the_overview_is_small(folder: Places) -> None:
    picture = Path(__file__).parents[3] / "docs" / "ui.png"
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size < 200_000
