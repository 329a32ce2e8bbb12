"""headrace ui, as a process of its own; and what it refuses."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from jobs.running.places import Places
from tests.jobs.admin.command import run
from tests.jobs.ui import made_results


@pytest.fixture
def places_file(tmp_path: Path, places: Places) -> Path:
    lines = (f'{name} = "{getattr(places, name)}"' for name in ("archive", "tables", "checkpoints"))
    (tmp_path / "places.toml").write_text("\n".join(lines))
    return tmp_path / "places.toml"


@pytest.fixture
def server(places_file: Path, places: Places) -> Iterator["subprocess.Popen[str]"]:
    made_results.make(places, "visits_v1")
    program = [sys.executable, "-c", "from jobs.admin.headrace import main; main()", "ui", "--port", "0"]
    with subprocess.Popen(
        [*program, "--places", str(places_file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


@pytest.mark.slow
def test_the_link_that_it_prints_opens_the_page(server: "subprocess.Popen[str]") -> None:
    assert server.stdout and server.stderr
    link = re.search(r"(http://127\.0\.0\.1:\d+/)\?token=(\S+)", server.stdout.readline())
    assert link
    with httpx.Client() as browser:
        assert browser.get(link[1]).status_code == 401
        page = browser.get(link[0], follow_redirects=True)
        assert "visits_v1" in page.text and str(page.url) == link[1]
        assert "visits_v1" in browser.get(f"{link[1]}metrics").text
    server.send_signal(signal.SIGINT)
    assert server.wait(30) == 0
    assert server.stderr.read() == "Ctrl-C ends it\n", "the token is in no log"


def test_others_than_this_machine_need_the_token(places_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ui", "--places", str(places_file), "--host", "0.0.0.0", "--no-token") == 1
    assert "--no-token is for this machine alone" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(places_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run("ui", "--places", str(places_file), "--port", str(port)) == 1
    assert f"cannot listen on port {port} of 127.0.0.1" in capsys.readouterr().err


def test_a_package_that_is_missing_is_named(
    places_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jobs.ui.server", None)
    assert run("ui", "--places", str(places_file)) == 1
    assert "which is not installed: pip install 'headrace[ui]'" in capsys.readouterr().err
