"""What work costs: counters of this process and of all workers, and the memory of all of them."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import psutil
from distributed import Client, get_client

from chemores_dask import metering
from chemores_dask.workflow.record import Bill

SECONDS_BETWEEN_SAMPLES = 0.2
SAMPLES_PER_CLUSTER_POLL = 10
"""Asking every worker costs a round trip over the network, so that is done less often."""


@dataclass(frozen=True)
class Reading:
    """What was counted up to a moment.

    Attributes
    ----------
    counters
        Counters by process: ``(host, process id)`` first, then the name of the counter.
    moment
        Seconds on the clock of :func:`time.perf_counter`.
    """

    counters: dict[tuple[str, int], dict[str, int]]
    moment: float


def active_client() -> Client | None:
    """The active ``distributed.Client``, or None."""
    try:
        return get_client()
    except ValueError:
        return None


def describe_host(client: Client | None) -> str:
    """The kind of scheduler and the size of the machine, in words and without names."""
    if client is None:
        memory = psutil.virtual_memory().total / 1e9
        return f"threads of one process; {os.cpu_count()} processors, {memory:.0f} GB of memory"
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    threads = sum(worker["nthreads"] for worker in workers)
    memory = sum(worker["memory_limit"] for worker in workers) / 1e9
    return f"distributed; {len(workers)} workers, {threads} threads, {memory:.0f} GB of memory"


def process_state() -> tuple[str, int, int, dict[str, int]]:
    """Host, process, resident bytes and counters of the process that runs this."""
    return socket.gethostname(), os.getpid(), psutil.Process().memory_info().rss, metering.snapshot()


class CostMeter:
    """Measures a run: a thread samples memory and progress, and readings bound the steps.

    Parameters
    ----------
    client
        The active client, or None on threads.
    on_rows
        Called from the sampling thread with the number of rows decoded since the meter started.
    """

    def __init__(self, *, client: Client | None, on_rows: Callable[[int], None]) -> None:
        self._client = client
        self._on_rows = on_rows
        self._here = (socket.gethostname(), os.getpid())
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._peak = 0
        self._workers: dict[tuple[str, int], tuple[int, dict[str, int]]] = {}
        self._thread = threading.Thread(target=self._sample_until_stopped, name="chemores-cost", daemon=True)
        self._start = Reading({}, 0.0)

    def __enter__(self) -> CostMeter:
        self._start = self.read()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def read(self) -> Reading:
        """Read the counters of all processes, and start the peak of memory anew."""
        self._poll_workers()
        reading = self._reading()
        memory = self._memory()
        with self._lock:
            self._peak = memory
        return reading

    def bill(self, since: Reading, *, cells: int) -> Bill:
        """The cost since a reading.

        Parameters
        ----------
        since
            A reading of this meter; the peak of memory is that since the latest reading.
        cells
            Cells of the store: rows decoded divided by them are passes.
        """
        self._poll_workers()
        now = self._reading()
        counted = _growth(since, now)
        memory = self._memory()
        with self._lock:
            self._peak = peak = max(self._peak, memory)
        return Bill(
            passes=counted[metering.ROWS_DECODED] / cells if cells else 0.0,
            bytes_decoded=counted[metering.BYTES_DECODED],
            tasks=counted[metering.TASKS],
            seconds=now.moment - since.moment,
            peak_memory_bytes=peak,
        )

    def _reading(self) -> Reading:
        with self._lock:
            counters = {process: counted for process, (_, counted) in self._workers.items()}
        counters[self._here] = metering.snapshot()
        return Reading(counters, time.perf_counter())

    def _poll_workers(self) -> None:
        if self._client is None:
            return
        # Workers that share a process (threads of this one, for instance) are counted once.
        answers = self._client.run(process_state, on_error="ignore") or {}
        with self._lock:
            for host, process, resident, counted in answers.values():
                self._workers[host, process] = (resident, counted)

    def _memory(self) -> int:
        resident = 0
        here = psutil.Process()
        for process in (here, *here.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                resident += process.memory_info().rss
        with self._lock:
            elsewhere = [size for (host, _), (size, _) in self._workers.items() if host != self._here[0]]
        return resident + sum(elsewhere)

    def _sample_until_stopped(self) -> None:
        samples = 0
        while not self._stop.wait(SECONDS_BETWEEN_SAMPLES):
            samples += 1
            if samples % SAMPLES_PER_CLUSTER_POLL == 0:
                # A cluster that goes away is noticed by the step that runs on it, not by its bill.
                with suppress(OSError, TimeoutError):
                    self._poll_workers()
            memory = self._memory()
            with self._lock:
                self._peak = max(self._peak, memory)
            self._on_rows(_growth(self._start, self._reading())[metering.ROWS_DECODED])


def _growth(before: Reading, after: Reading) -> Counter[str]:
    total: Counter[str] = Counter()
    for process, counted in after.counters.items():
        total.update(metering.difference(before.counters.get(process, {}), counted))
    return total
