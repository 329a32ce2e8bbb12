"""Checks the measuring itself: CPU time burnt anywhere in a process tree must be counted.

Compares the count with the CPU-seconds that the burners took: the command, a child, a child's child that is waited for,
an orphan that outlives its parent, an orphan that is killed, and a child whose parent ignores SIGCHLD.
"""

import sys
import tempfile
from pathlib import Path

from measure import SAMPLE_SECONDS, measure

BURNT = 0.5
TREE = f"""
import os, signal, time

def burn():
    while time.process_time() < {BURNT}:
        pass

def fork(work):
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    return pid

def killed():
    burn()
    os.kill(os.getpid(), signal.SIGKILL)

def ignoring():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    fork(burn)
    time.sleep(3)

burn()
os.waitpid(fork(ignoring), 0)
os.waitpid(fork(lambda: (burn(), os.waitpid(fork(burn), 0))), 0)
os.waitpid(fork(lambda: (fork(burn), fork(killed))), 0)
os._exit(3)
"""
BURNERS = 6


def main() -> None:
    """Run the burners and compare."""
    with tempfile.TemporaryDirectory() as folder:
        cost = measure([sys.executable, "-c", TREE], Path(folder) / "tree.log")
    print(cost)
    assert cost.exit_code == 3
    least = BURNT * BURNERS - 1.5 * SAMPLE_SECONDS
    assert cost.cpu_seconds >= least, f"burnt {BURNT * BURNERS}, counted {cost.cpu_seconds}"
    assert cost.cpu_ignored_seconds > 0
    assert 0 < cost.peak_pss_bytes <= cost.peak_rss_bytes


if __name__ == "__main__":
    main()
