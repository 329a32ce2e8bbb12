"""headrace as a contender: page_rate.py, submitted as a scheduled run."""

import argparse
import os
import shutil
import sys
from pathlib import Path

import pandas as pd
from bench_input import ROOT, Input
from contenders import Results
from deltalake import DeltaTable, QueryBuilder

BENCH = Path("tests") / "bench"


def checkout(text: str) -> Path:
    """The folder of a checkout of headrace, of the command line. Raises ArgumentTypeError if no job can run in it."""
    root = Path(text).resolve()
    if not (root / BENCH / "page_rate.py").exists():
        raise argparse.ArgumentTypeError(f"{text} is no checkout of headrace: it has no {BENCH / 'page_rate.py'}")
    if not (root / ".jars").exists():
        raise argparse.ArgumentTypeError(f"{text} has no jars: ln -s {ROOT}/.jars {root}/.jars gives it those of here")
    return root


def submission(
    script: Path, out: Path, archive: str, servers: str | None, root: Path = ROOT, **variables: str
) -> list[str]:
    """Command line of a scheduled run of a job file, with tables and checkpoints in `out`; `root` is a checkout.

    It reads Kafka if there are `servers`, and the archive if not. `variables`: of its environment.
    """
    places = out / "places.toml"
    folders = {"archive": archive, "tables": f"{out}/tables", "checkpoints": f"{out}/checkpoints"}
    lines = [*(['log = "kafka"'] if servers else []), *(f'{name} = "{folder}"' for name, folder in folders.items())]
    kafka = ["[kafka]", f'servers = "{servers}"'] if servers else []
    places.write_text("\n".join([*lines, *kafka, ""]))
    submit = shutil.which("spark-submit", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert submit
    profile = os.environ.get("BENCH_PROFILE", str(root / "conf" / "spark-local.conf"))
    environment = {"PYTHONPATH": f"{root}{os.pathsep}{root / BENCH}", "PYSPARK_PYTHON": sys.executable, **variables}
    return [
        *("env", f"--chdir={root}", *(f"{name}={value}" for name, value in environment.items())),
        *(submit, "--properties-file", profile, str(script), "--places", str(places)),
    ]


def command(log: Input, out: Path, root: Path = ROOT) -> list[str]:
    """Command line of a scheduled run over the log, with tables and checkpoints in `out`; `root` is a checkout."""
    script = root / BENCH / "page_rate.py"
    return submission(script, out, log.archive, log.servers, root, BENCH_TOPIC=log.topic)


def load(out: Path) -> Results:
    """The three results from the one table."""
    table = QueryBuilder().register("rate", DeltaTable(out / "tables" / "page_rate_v1"))

    def query(sql: str) -> pd.DataFrame:
        import pyarrow as pa

        return pa.table(table.execute(sql).read_all()).to_pandas()

    hopping = "select page, window_start, views as count, ms_mean as mean from rate where window_kind like 'hopping%'"
    distinct = "select page, window_start as minute, user_estimate as estimate from rate where window_kind like 'tumb%'"
    first = (
        "select window_start as minute, cast(sum(views) - sum(seen_before_count) as bigint) as count "
        "from rate where window_kind like 'tumb%' group by window_start having sum(views) > sum(seen_before_count)"
    )
    return Results(query(hopping), query(distinct), query(first))
