"""What a benchmark ran on, when, and which code."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import psutil

MIB = 1024 * 1024


def text_of(*command: str) -> str:
    """What a command prints; nothing if it cannot be run."""
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return (done.stdout or done.stderr).strip()


def machine() -> list[str]:
    """What it ran on, when, and which code."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), "unknown")
    java = (text_of("java", "-version").splitlines() or ["none"])[0]
    commit = text_of("git", "rev-parse", "--short", "HEAD") or "none"
    changed = " with changes" if text_of("git", "status", "--porcelain") else ""
    return [
        f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, git commit {commit}{changed}",
        f"- {os.cpu_count()} cores, {psutil.virtual_memory().total / MIB / 1024:.1f} GiB, {model}, "
        f"{platform.system()} {platform.release().split('-')[0]}",
        f"- Java: {java}; Python {platform.python_version()}",
        f"- load average when written: {os.getloadavg()[0]:.1f}",
    ]
