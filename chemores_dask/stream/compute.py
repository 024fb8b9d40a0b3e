"""The one door where analyses compute."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import dask
from dask.base import collections_to_expr

from chemores_dask.metering import TASKS, count
from chemores_dask.stream.joint_passes import join_passes
from chemores_dask.stream.worker_memory import prepare_workers

ASK: ContextVar[Callable[[tuple[Any, ...]], tuple[Any, ...]] | None] = ContextVar("ask", default=None)
"""Who computes for the analysis that runs here; None where it computes itself."""


def compute(*collections: Any) -> tuple[Any, ...]:
    """Compute Dask collections in one go, so that they share passes over the rows.

    Runs on the active ``distributed.Client`` if there is one, otherwise on Dask's threaded scheduler. Analyses that run within
    :func:`~chemores_dask.stream.shared_pass.share_passes` hand their collections in here, and get the values from a pass they share.

    Parameters
    ----------
    collections
        Lazy arrays or delayed values.

    Returns
    -------
    Their values, in order.
    """
    ask = ASK.get()
    return ask(collections) if ask else compute_now(*collections)


def compute_now(*collections: Any) -> tuple[Any, ...]:
    """Compute Dask collections in one go, and count the tasks.

    Parameters
    ----------
    collections
        Lazy arrays or delayed values.

    Returns
    -------
    Their values, in order.
    """
    prepare_workers()
    collections = tuple(join_passes(collections))
    # Collections optimized one by one would each fuse the tasks they share into their own, and so run them several times.
    lazy = [collection for collection in collections if dask.is_dask_collection(collection)]
    if lazy:
        count(**{TASKS: len(collections_to_expr(lazy).optimize().__dask_graph__())})
    values: tuple[Any, ...] = dask.compute(*collections)
    return values
