"""One BLAS thread inside tasks: Dask already fills the cores."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

_lock = threading.Lock()
_holders = 0
_limits: threadpool_limits | None = None


@contextmanager
def single_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread while any task of this process is inside.

    The limit belongs to the process, so tasks that overlap in time share it: the first to enter sets it, the last to leave
    restores what was there before.
    """
    global _holders, _limits
    with _lock:
        _holders += 1
        if _holders == 1:
            _limits = threadpool_limits(limits=1, user_api="blas")
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if _holders == 0 and _limits is not None:
                _limits.restore_original_limits()
                _limits = None
