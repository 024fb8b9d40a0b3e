"""The one door where analyses compute."""

from __future__ import annotations

from typing import Any

import dask
from dask.base import collections_to_expr

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
    # Collections optimized one by one would each fuse the tasks they share into their own, and so run them several times.
    lazy = [collection for collection in collections if dask.is_dask_collection(collection)]
    if lazy:
        count(**{TASKS: len(collections_to_expr(lazy).optimize().__dask_graph__())})
    values: tuple[Any, ...] = dask.compute(*collections)
    return values
