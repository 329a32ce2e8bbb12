"""A join of two topics, by headrace and by its peers over the same Kafka topics, compared with DuckDB's.

python tests/bench/join.py --records 2000000 --contenders headrace spark flink
"""

import argparse
import os
import shutil
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import duckdb
import flink_job
import join_data
import pyarrow as pa
import pyarrow.compute as pc
from bench_broker import broker
from bench_input import ROOT
from deltalake import DeltaTable
from measure import measure

MINUTES_10_MS = 600_000
MIB = 2**20


def command(name: str, topics: list[str], servers: str, out: Path) -> list[str]:
    """The command line of a contender."""
    common = ["--topics", *topics, "--servers", servers, "--out", str(out)]
    here = Path(__file__).parent
    if name == "spark":
        return [sys.executable, str(here / "join_spark.py"), *common]
    if name == "flink":
        jars = ["--jars", *map(str, flink_job.jars())]
        python = str(flink_job.FOLDER / "bin" / "python")
        return ["env", "--unset=PYTHONPATH", python, str(here / "join_flink.py"), *common, *jars]
    places = out / "places.toml"
    folders = {"archive": "archive", "tables": "tables", "checkpoints": "checkpoints"}
    lines = ['log = "kafka"', *(f'{key} = "{out}/{folder}"' for key, folder in folders.items())]
    places.write_text("\n".join([*lines, "[kafka]", f'servers = "{servers}"', ""]))
    submit = shutil.which("spark-submit", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert submit
    return [
        *("env", f"--chdir={ROOT}", f"PYTHONPATH={ROOT}", f"BENCH_TOPICS={' '.join(topics)}"),
        *(f"PYSPARK_PYTHON={sys.executable}", submit, "--properties-file", str(ROOT / "conf" / "spark-local.conf")),
        *(str(here / "join_job.py"), "--places", str(places)),
    ]


def query(sql: str, **tables: pa.Table) -> pa.Table:
    """The answer of DuckDB, to which these tables are known."""
    connection = duckdb.connect()
    for name, table in tables.items():
        connection.register(name, table)
    return connection.sql(sql).to_arrow_table()


def pairs(name: str, out: Path) -> pa.Table:
    """Columns id and click_id of what a contender has written."""
    if name == "flink":
        return query(f"select id, click_id from read_parquet('{out}/joined/*')")
    if name == "spark":
        return DeltaTable(out / "joined").to_pyarrow_table(columns=["id", "click_id"])
    return DeltaTable(out / "tables" / "joined_v1").to_pyarrow_table(columns=["id", "click_id"])


def expected(records: int) -> pa.Table:
    """The pairs, by DuckDB over the records themselves."""
    tables = {}
    for topic in join_data.TOPICS:
        values = pa.concat_arrays([batch["value"] for batch in join_data.batches(topic, records)]).cast(pa.string())
        found = pc.extract_regex(values, r'"user":"(?P<user>[^"]*)","id":(?P<id>\d+),"ts":(?P<ts>\d+)')
        columns = {key: pc.struct_field(found, key) for key in ("user", "id", "ts")}
        tables[topic] = pa.table(columns | {key: columns[key].cast(pa.int64()) for key in ("id", "ts")})
    searches, clicks = tables.values()  # noqa: RUF059 (DuckDB finds them by name)
    sql = f"""select s.id as id, c.id as click_id from searches s left join clicks c
              on s.user = c.user and c.ts between s.ts and s.ts + {MINUTES_10_MS}"""
    return query(sql, **tables)


def difference(found: pa.Table, right: pa.Table) -> str:
    """How many pairs are missing and how many are wrong."""
    missing, wrong = (
        query(f"select count(*) as n from (from {one} except all from {other})", found=found, wanted=right)["n"][0]
        for one, other in (("wanted", "found"), ("found", "wanted"))
    )
    return f"{len(found):,} rows of {len(right):,}, {missing.as_py():,} missing, {wrong.as_py():,} wrong"


def main() -> None:
    """Run each contender in turn, and print what it cost and whether it was right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=2_000_000, help="of both topics")
    parser.add_argument("--contenders", nargs="+", default=["headrace", "spark", "flink"])
    parser.add_argument("--repeat", type=int, default=1)
    args = parser.parse_args()
    sys.path.append(str(ROOT))
    admin, access = import_module("confluent_kafka.admin"), import_module("jobs.running.kafka_access")
    producer = import_module("jobs.log.kafka.producer")
    with broker() as load, tempfile.TemporaryDirectory(prefix="headrace-join-") as folder:
        client = admin.AdminClient({"bootstrap.servers": load.servers})
        for topic in join_data.TOPICS:
            made = admin.NewTopic(topic, 4, config={"retention.ms": "-1"})
            client.create_topics([made])[topic].result()
            producer.append(access.Kafka(servers=load.servers), topic, 4, join_data.batches(topic, args.records))
        right = expected(args.records)
        for turn in range(args.repeat):
            for name in args.contenders:
                out = Path(folder) / f"{name}-{turn}"
                out.mkdir()
                printed = Path(folder) / "printed.log"
                cost = measure(command(name, list(join_data.TOPICS), load.servers, out), printed)
                if cost.exit_code:
                    raise SystemExit(f"{name} failed:\n{printed.read_text()[-3000:]}")
                said = difference(pairs(name, out), right)
                print(
                    f"{name}: {cost.cpu_seconds:.1f} CPU-s, {cost.wall_seconds:.1f} s, "
                    f"{cost.peak_pss_bytes / MIB:,.0f} MiB; {said}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
