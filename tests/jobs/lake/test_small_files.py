"""Small files are put together; full ones stay as they are."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from jobs.lake import small_files


def test_a_full_file_is_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, random = str(tmp_path / "own"), np.random.default_rng(7)

    def append(rows: int) -> None:
        write_deltalake(path, pa.table({"n": random.integers(0, 2**62, rows)}), mode="append")

    append(5000)
    full = DeltaTable(path).file_uris()
    size = int(pa.table(DeltaTable(path).get_add_actions())["size_bytes"][0].as_py())
    monkeypatch.setattr(small_files, "FULL_FILE_MEBIBYTES", size / 2**20)
    append(10)
    append(20)
    small_files.put_together(DeltaTable(path), {"step": "own"})
    assert len(DeltaTable(path).file_uris()) == 2 and full[0] in DeltaTable(path).file_uris()
    assert DeltaTable(path).history(1)[0]["userMetadata"] == '{"step": "own"}'
