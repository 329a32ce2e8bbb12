"""A process that has imported what Spark's helpers in Python need, and forks them.

Spark starts up to three processes of Python for each query that reads a data source in Python. Each of them imports
numpy, pyarrow and pyspark anew, 0.3 to 0.5 CPU-seconds; a fork of a process that has them costs 0.03. Spark is given a
program in the place of Python, jobs/running/fork_client.py, which asks the server for a fork, or becomes Python itself
where there is no server.
"""

import os
import runpy
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from jobs.running import fork_client, worker_daemon

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

STANDARD_STREAMS = (0, 1, 2)
LONGEST_REQUEST_SECONDS = 10.0
"""A client that has connected says what it wants at once."""


@contextmanager
def forks_for_sources(spark: "SparkSession", modules: tuple[str, ...]) -> Iterator[None]:
    """Have Spark start the helpers of data sources that are registered meanwhile as forks of a process that has
    imported `modules`. Only in local mode: on other machines there is no server.
    """
    context = spark.sparkContext
    python = context.pythonExec
    if (context.master or "").startswith("local"):
        program = start(python, tuple(sorted(context.environment.items())), modules)
        context.pythonExec = program if shutil.which(program) else python  # of /tmp old files may be deleted
    try:
        yield
    finally:
        context.pythonExec = python


@cache
def start(command: str, environment: tuple[tuple[str, str], ...], modules: tuple[str, ...]) -> str:
    """Start a server that has imported `modules`, once in this process, and return the path of the program that asks
    it for a fork. The server ends with this process. Where there can be none, the path is `command`, that of Python.

    `environment`: what is added to that of this process.
    """
    client, python = Path(fork_client.__file__), shutil.which(command)
    if python is None or not client.is_file():  # it is in a zip
        return command
    folder = Path(tempfile.mkdtemp(prefix="headrace-forks-"))
    program, address = folder / "python", str(folder / "server")
    words = (python, "-IS", str(client), address, python)
    program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8", errors="surrogateescape")
    program.chmod(0o700)
    if not os.access(program, os.X_OK):  # nothing on this file system may be executed
        return command
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(address)
        except OSError:  # the path is too long for an address
            return command
        listener.listen(64)
        server = subprocess.Popen(
            [python, "-m", __name__, str(listener.fileno()), str(folder), *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            env=os.environ | dict(environment),
        )
    SERVERS.append(server)
    return str(program)


SERVERS: list[subprocess.Popen[bytes]] = []
"""Those that this process has started. Each ends when the pipe to it is closed, as it is when this process ends."""


class Server:
    """Forks a process for each client, and tells the client how the process ended."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._clients: dict[int, socket.socket] = {}
        """By process, who asked for it."""
        self._selector = selectors.DefaultSelector()
        self._wakers = socket.socketpair()
        """A byte comes out of the first when a process has ended."""

    def serve(self) -> None:
        """Until standard input ends, which the process that started the server holds open."""
        woken, waker = self._wakers
        for each in self._wakers:
            each.setblocking(False)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for source in (self._listener, sys.stdin.buffer, woken):
            self._selector.register(source, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is woken:
                    woken.recv(1024)
                    self._tell_ends()
                elif key.fileobj is sys.stdin.buffer:
                    return
                else:
                    self._end(key.data)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        client.settimeout(LONGEST_REQUEST_SECONDS)
        try:
            request, streams = fork_client.receive(client)
        except (OSError, ValueError):
            client.close()
            return
        process = None
        with suppress(OSError):  # too many processes: the client ends, and Spark says that it could not start it
            process = os.fork()
        if process == 0:
            self._selector.close()
            for each in (self._listener, *self._wakers, client, *self._clients.values()):
                each.close()
            become(request, streams)
        for stream in streams:
            os.close(stream)
        if process is None:
            client.close()
        else:
            self._clients[process] = client
            self._selector.register(client, selectors.EVENT_READ, process)

    def _end(self, process: int) -> None:
        """Spark has ended the client, and means the process."""
        if process in self._clients:  # else it has ended itself, and another one may have its number
            self._forget(process)
            os.kill(process, signal.SIGTERM)

    def _tell_ends(self) -> None:
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not process:
                return
            client = self._clients.get(process)
            if client:
                with suppress(OSError):
                    client.sendall(bytes([os.waitstatus_to_exitcode(status) & 0xFF]))
                self._forget(process)

    def _forget(self, process: int) -> None:
        client = self._clients.pop(process, None)
        if client:
            self._selector.unregister(client)
            client.close()


def become(request: Mapping[str, Any], streams: Sequence[int]) -> NoReturn:
    """Be, in a fork, the process that Python would be with the arguments, the environment and the folder of `request`,
    which begin with -m MODULE.
    """
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for stream, standard in zip(streams, STANDARD_STREAMS, strict=True):
            os.dup2(stream, standard)
            os.close(stream)
        _, module, *arguments = request["arguments"]
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        sys.path[0] = request["folder"]
        sys.path[1:1] = [
            path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", *sys.path)
        ]
        sys.argv[1:] = arguments
        sys.modules.pop(module, None)  # else Python warns that it runs what it has imported
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code & 0xFF)


def main(arguments: Sequence[str]) -> None:
    """The number of the socket on which clients ask, the server's folder, and the modules to import."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started it
    worker_daemon.import_libraries(arguments[2:])
    Server(socket.socket(fileno=int(arguments[0]))).serve()
    shutil.rmtree(arguments[1], ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
