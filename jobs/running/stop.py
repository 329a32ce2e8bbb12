"""A run is asked to stop: by Ctrl-C (SIGINT) or by SIGTERM.

It ends when the batch at work has come to its end and windows are published. A second Ctrl-C ends it at once.
"""

import atexit
import os
import signal
import threading
from typing import TYPE_CHECKING, Any, Self

from jobs.running import diagnostics

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether a run is to stop, and whether it has left something undone for that."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.signal = 0
        """The number of the signal that asked."""
        self.is_obeyed = False
        """Whether the run ended before it had done all that it was to do."""

    @property
    def is_asked(self) -> bool:
        """Whether no more work may begin."""
        return self._event.is_set()

    @property
    def exit_code(self) -> int:
        """Of a program that a signal ended: 130 after Ctrl-C, 143 after SIGTERM."""
        return 128 + self.signal

    def ask(self, signal_number: int) -> None:
        """Let no more work begin."""
        self.signal = signal_number
        self._event.set()

    def obey(self) -> bool:
        """Whether the run is to leave off here; then it has left something undone."""
        self.is_obeyed = self.is_obeyed or self.is_asked
        return self.is_asked

    def wait(self, seconds: float) -> None:
        """Wait for so long, or until the run is to stop."""
        self._event.wait(seconds)


class Listener:
    """Takes the signals while a program runs jobs. Before `begin` they end it at once: nothing has been read yet.

    They are heard in a thread of its own: the main thread may be within a long call of a library, or in the midst of
    writing a line. Spark's calls are not interrupted.
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._is_starting = True
        self._before: dict[int, Any] = {}
        self._is_active = threading.current_thread() is threading.main_thread()  # Python lets no other take signals

    def __enter__(self) -> Self:
        if self._is_active:
            read_end, self._write_end = os.pipe()
            os.set_blocking(self._write_end, False)
            self._wakeup_before = signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
            self._take()
            threading.Thread(target=self._listen, args=(read_end,), name="signals", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_active:
            for number, handler in self._before.items():
                signal.signal(number, handler or signal.SIG_DFL)
            signal.set_wakeup_fd(self._wakeup_before)
            os.close(self._write_end)
            # The work is done: while the interpreter ends, an interrupt would only print tracebacks.
            atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)

    def begin(self, spark: "SparkSession") -> None:
        """The session is there, and batches may begin: from now on signals ask for an orderly end.

        pyspark has taken SIGINT for itself, to cancel the batch at work; and Java, if it gets the signals as well,
        would end at once.
        """
        from jobs.running import jvm

        if self._is_active:
            jvm.hand_over_signals(spark, lambda: self.receive(signal.SIGTERM))
            self._take()
        self._is_starting = False

    def receive(self, signal_number: int) -> None:
        """Do what the signal asks for."""
        if self._is_starting:
            diagnostics.fail("stopped before anything was read")
            os._exit(128 + signal_number)
        if not self._stop.is_asked:
            self._stop.ask(signal_number)
            diagnostics.inform(
                "stopping: the batch at work comes to its end, and windows are published; another Ctrl-C ends at once"
            )
        elif signal_number == signal.SIGINT:
            diagnostics.fail("ended at once: what was committed stays, and the next run goes on from there")
            os._exit(128 + signal_number)

    def _take(self) -> None:
        for number in SIGNALS:
            self._before.setdefault(number, signal.signal(number, lambda *_: None))
            signal.siginterrupt(number, False)

    def _listen(self, read_end: int) -> None:
        while received := os.read(read_end, 1):
            if received[0] in SIGNALS:
                self.receive(received[0])
        os.close(read_end)
