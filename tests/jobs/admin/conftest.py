"""Where commands are typed."""

from pathlib import Path

import pytest

from jobs.running.places import Places


@pytest.fixture
def laptop(tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with the places file that the commands look for."""
    (tmp_path / "conf").mkdir()
    lines = (f'{name} = "{getattr(places, name)}"' for name in ("archive", "tables", "checkpoints"))
    (tmp_path / "conf" / "local.toml").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    return tmp_path
