"""The one door where analyses compute."""

from __future__ import annotations

from typing import Any

import dask

from chemores_dask.metering import TASKS, count


def compute(*collections: Any) -> tuple[Any, ...]:
    """Compute Dask collections in one go, so that they share passes over the rows.

    Runs on the active ``distributed.Client`` if there is one, otherwise on Dask's threaded scheduler.

    Parameters
    ----------
    collections
        Lazy arrays or delayed values.

    Returns
    -------
    Their values, in order.
    """
    optimized = dask.optimize(*collections)
    keys: set[Any] = set()
    for collection in optimized:
        if dask.is_dask_collection(collection):
            keys.update(collection.__dask_graph__())
    count(**{TASKS: len(keys)})
    values: tuple[Any, ...] = dask.compute(*optimized, optimize_graph=False)
    return values
