"""A question answered by headrace and by its peers over the same topics of Kafka, compared with DuckDB's answer.

python tests/bench/beside_peers.py sessions --records 2000000 --contenders headrace spark flink flink-small
"""

import argparse
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import flink_job
import headrace_job
from bench_broker import broker
from bench_input import PARTITIONS, ROOT
from measure import measure
from questions.question import Question, difference

QUESTIONS = ("join", "sessions", "patterns", "enriched")
CONTENDERS = ("headrace", "spark", "flink", "flink-small")
MIB = 2**20


def _script(question: str, contender: str) -> Path:
    return Path(__file__).parent / "questions" / question / f"{contender.removesuffix('-small')}.py"


def command(question: str, contender: str, servers: str, out: Path) -> list[str]:
    """The command line of a contender, which writes its answer below the folder `out`."""
    here = Path(__file__).parent
    if contender == "headrace":
        return headrace_job.submission(_script(question, contender), out, archive=f"{out}/archive", servers=servers)
    options = ["--servers", servers, "--out", str(out)]
    if contender == "spark":
        path = os.pathsep.join([str(here), *filter(None, [os.environ.get("PYTHONPATH")])])
        return ["env", f"PYTHONPATH={path}", sys.executable, "-m", f"questions.{question}.spark", *options]
    python = flink_job.python(flink_job.SMALL if contender == "flink-small" else "", path=here)
    return [*python, "-m", f"questions.{question}.flink", *options, "--jars", *map(str, flink_job.jars())]


def produce(question: Question, records: int, servers: str) -> None:
    """Write the records of the question into new topics."""
    admin, access = import_module("confluent_kafka.admin"), import_module("jobs.running.kafka_access")
    producer = import_module("jobs.log.kafka.producer")
    client = admin.AdminClient({"bootstrap.servers": servers})
    for topic in question.topics:
        made = admin.NewTopic(topic, PARTITIONS, config={"retention.ms": "-1"})
        client.create_topics([made])[topic].result()
        producer.append(access.Kafka(servers=servers), topic, PARTITIONS, question.batches(topic, records))


def arguments() -> argparse.Namespace:
    """Those of the command line. Ends the process if Flink is asked for, and not there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", choices=QUESTIONS)
    parser.add_argument("--records", type=int, default=2_000_000, help="of all topics together")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=["headrace", "spark", "flink"])
    parser.add_argument("--repeat", type=int, default=1)
    args = parser.parse_args()
    absent = [name for name in args.contenders if not _script(args.question, name).exists()]
    if absent:
        parser.error(f"{args.question} is not asked of {', '.join(absent)}: --contenders headrace flink flink-small")
    missing = flink_job.missing()
    if missing and any(name.startswith("flink") for name in args.contenders):
        parser.error(missing)
    return args


def main() -> None:
    """Run each contender in turn, each repeat in the other direction; print what it cost and whether it was right."""
    args = arguments()
    sys.path.append(str(ROOT))
    question: Question = import_module(f"questions.{args.question}.data").QUESTION
    with broker() as load, tempfile.TemporaryDirectory(prefix=f"headrace-{args.question}-") as folder:
        produce(question, args.records, load.servers)
        right = question.expected(args.records)
        for turn in range(args.repeat):
            for name in args.contenders[:: -1 if turn % 2 else 1]:
                out = Path(folder) / f"{name}-{turn}"
                out.mkdir()
                printed = Path(folder) / "printed.log"
                cost = measure(command(args.question, name, load.servers, out), printed)
                if cost.exit_code:
                    raise SystemExit(f"{name} failed:\n{printed.read_text()[-3000:]}")
                rows = difference(question.found(name.removesuffix("-small"), out), right)
                print(
                    f"{name}: {cost.cpu_seconds:.1f} CPU-s, {cost.wall_seconds:.1f} s, "
                    f"{cost.peak_pss_bytes / MIB:,.0f} MiB; {rows}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
