"""What must not get dearer: windows that overlap more, and batches late in a long history.

python tests/bench/shapes.py depth --records 2000000    hopping windows 60 deep beside 10 deep, each a run of its own
python tests/bench/shapes.py history --days 30          a run a day over a growing history, in one warm Spark
"""

import argparse
import os
import sys
import tempfile
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from statistics import median

import bench_data
import psutil
import pyarrow as pa
import pyarrow.compute as pc
from bench_input import PARTITIONS, ROOT, TOPIC, write
from contenders import contenders
from measure import measure

DAY_MICROS = 86_400_000_000


def depth(records: int, repeat: int) -> None:
    """CPU-seconds of the whole process tree with windows of 10 and of 60 minutes, every minute."""
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        log = write(Path(folder) / "archive", records, 500_000, 2)
        costs: dict[str, list[float]] = {"10 minutes": [], "60 minutes": []}
        for turn in range(repeat):
            for length, seconds in costs.items():
                os.environ["BENCH_DEPTH"] = length
                out = Path(folder) / f"{length.replace(' ', '-')}-{turn}"
                out.mkdir()
                cost = measure(contenders()["headrace"].command(log, out), Path(folder) / "printed.log")
                if cost.exit_code:
                    raise SystemExit((Path(folder) / "printed.log").read_text()[-2000:])
                seconds.append(cost.cpu_seconds)
                print(f"{length}: {cost.cpu_seconds:.1f} CPU-s, {cost.wall_seconds:.1f} s", flush=True)
        print(f"60 over 10 minutes: {median(costs['60 minutes']) / median(costs['10 minutes']):.2f} (medians)")


def day_of(number: int, records: int) -> pa.RecordBatch:
    """The records of one day: those of the log of two hours, `number` days later."""
    [batch] = bench_data.batches(records)
    later = number * DAY_MICROS
    start = bench_data.START_MS
    value = batch["value"].cast(pa.string())
    parts = pc.extract_regex(value, r'^(?P<head>.*"ts":)(?P<ts>\d+)(?P<tail>\})$')
    moved = pc.add(pc.struct_field(parts, "ts").cast(pa.int64()), later // 1000)
    assert pc.min(moved).as_py() >= start - bench_data.DISORDER_MS
    value = pc.binary_join_element_wise(
        pc.struct_field(parts, "head"), moved.cast(pa.string()), pc.struct_field(parts, "tail"), ""
    )
    times = pc.add(batch["timestamp"].cast(pa.int64()), later).cast(batch.schema.field("timestamp").type)
    return pa.record_batch([batch["key"], value.cast(pa.binary()), times], schema=batch.schema)


def history(days: int, records: int) -> None:
    """Seconds and CPU-seconds of a run over each day's records, when the days before it are in the tables."""
    sys.path.append(str(ROOT))
    run, archive = import_module("jobs.run"), import_module("jobs.log.archive.writer")
    job = import_module("page_rate")
    spark = run.session(run.profile(ROOT / "conf" / run.LOCAL_PROFILE))
    me = psutil.Process()

    def spent() -> float:
        return sum(sum(p.cpu_times()[:4]) for p in [me, *me.children(recursive=True)])

    def days_in(folder: str, count: int) -> list[float]:
        places = run.Places(archive=f"{folder}/archive", tables=f"{folder}/tables", checkpoints=f"{folder}/state")
        found = []
        for number in range(count):
            archive.append(places.archive, TOPIC, PARTITIONS, [day_of(number, records)])
            before, begun = spent(), datetime.now(UTC)
            job.main(run.Run(spark, places, say=lambda _: None))
            found.append(spent() - before)
            seconds = (datetime.now(UTC) - begun).total_seconds()
            print(f"day {number + 1}: {found[-1]:.1f} CPU-s, {seconds:.1f} s", flush=True)
        return found

    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as warm, tempfile.TemporaryDirectory() as folder:
        print("warming up")
        days_in(warm, 8)
        print("measured")
        found = days_in(folder, days)
    early, late = median(found[1:4]), median(found[-3:])
    print(f"days {days - 2} to {days} over days 2 to 4: {late / early:.2f} (medians of CPU-seconds)")


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=["depth", "history"])
    parser.add_argument("--records", type=int, help="of the log (2,000,000), or of a day (50,000)")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--days", type=int, default=30)
    given = parser.parse_args()
    if given.shape == "depth":
        depth(given.records or 2_000_000, given.repeat)
    else:
        history(given.days, given.records or 50_000)


if __name__ == "__main__":
    main()
