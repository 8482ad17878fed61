"""The start of the app, by the command that a user runs."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import kp
from kp.bench.row import Row
from kp.errors import KpError

START_TIMEOUT = 120  # seconds


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def resident_megabytes(process_id: int) -> float:
    """Resident memory of a process, MB. Raises KpError where there is no /proc."""
    status = Path(f"/proc/{process_id}/status")
    if not status.is_file():
        raise KpError(
            "The memory of a process is read from /proc, which this system does not have. "
            "Measure the other parts with --only."
        )
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1000


def measure_app(root: Path) -> Iterator[Row]:
    """Seconds from `python demo.py` to a page that answers, and the memory of the process then."""
    begun = time.perf_counter()
    with running_app(root) as (_, process):
        yield Row("python demo.py to a page that answers", time.perf_counter() - begun, "s")
        yield Row("memory then", resident_megabytes(process.pid), "MB")


@contextmanager
def running_app(root: Path) -> Iterator[tuple[str, subprocess.Popen]]:
    """Yields the address and the process of `python demo.py` once its page answers. Raises KpError if it does not."""
    port = free_port()
    command = [sys.executable, "demo.py", "--data", str(root.resolve()), "--port", str(port)]
    begun = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=Path(kp.__file__).parent.parent,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"NO_PROXY": "127.0.0.1"},
    )
    try:
        while not _answers(f"http://127.0.0.1:{port}/"):
            if process.poll() is not None or time.perf_counter() - begun > START_TIMEOUT:
                raise KpError("The app did not start. Run `python demo.py` to see why.")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/", process
    finally:
        process.terminate()
        process.wait()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
