"""One BLAS thread inside tasks: Dask already fills the cores."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

_lock = threading.Lock()
_holders = 0
_limits: threadpool_limits | None = None


def _new_keeper() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="blas-threads")


# Since threadpoolctl 3.8 only the thread that set a limit first can change it, and the calls of others do nothing.
_keeper = _new_keeper()


def _after_fork() -> None:
    global _keeper, _lock, _holders, _limits
    _keeper, _lock, _holders, _limits = _new_keeper(), threading.Lock(), 0, None


os.register_at_fork(after_in_child=_after_fork)


def _limit() -> threadpool_limits:
    return threadpool_limits(limits=1, user_api="blas")


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
            _limits = _keeper.submit(_limit).result()
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if _holders == 0 and _limits is not None:
                _keeper.submit(_limits.restore_original_limits).result()
                _limits = None
