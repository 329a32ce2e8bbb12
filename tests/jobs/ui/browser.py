"""A real browser, and a real server with a token, for the tests of pages."""

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from jobs.running.places import Places
from jobs.ui import app
from jobs.ui.site_facts import SiteFacts

TOKEN = "a-token-of-the-tests"
WAIT_SECONDS = 60
WIDTHS = (400, 1000, 2000)
PROGRAMS = ("chromium", "chromedriver")


def open_browser() -> Chrome:
    """A headless Chromium, which keeps what it asks the network for and what its console says."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    assert not missing, f"no {' and no '.join(missing)} on the PATH: apt install chromium chromium-driver"
    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return Chrome(options=options, service=Service(shutil.which("chromedriver")))


@contextmanager
def serving(places: Places, facts: SiteFacts | None = None, show_values: bool = False) -> Iterator[str]:
    """The address of a server of these places, without the token, until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))  # who comes before the server is ready waits
    application = app.make(facts or SiteFacts(places, show_values), TOKEN, ("127.0.0.1",))
    server = uvicorn.Server(uvicorn.Config(application, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def wait_until(browser: Chrome, script: str, *arguments: Any) -> Any:
    """What the JavaScript gives, as soon as that is true."""
    return WebDriverWait(browser, WAIT_SECONDS, 0.1).until(lambda _: browser.execute_script(script, *arguments))


def set_width(browser: Chrome, width: int, height: int = 900) -> None:
    """Make the page so wide, in pixels of CSS."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def set_colors(browser: Chrome, scheme: str) -> None:
    """Let the page take its `light` or `dark` colours."""
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
