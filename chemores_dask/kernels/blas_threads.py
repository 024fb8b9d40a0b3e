"""One BLAS thread inside tasks: Dask already fills the cores."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


class _SharedLimit:
    """A limit that belongs to the process: the first task to enter sets it, the last to leave restores what was there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._limits: threadpool_limits | None = None

    def enter(self) -> None:
        with self._lock:
            self._holders += 1
            if self._limits is None:
                self._limits = threadpool_limits(limits=1, user_api="blas")

    def leave(self) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0 and self._limits is not None:
                self._limits.restore_original_limits()
                self._limits = None


_SHARED = _SharedLimit()


@contextmanager
def single_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread while any task of this process is inside."""
    _SHARED.enter()
    try:
        yield
    finally:
        _SHARED.leave()
