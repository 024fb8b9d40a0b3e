"""The only door to numba.

Kernels are compiled without the GIL and without threads of their own (Dask owns the threads), and are cached on disk. The plain
function stays reachable as ``.python``: tests run it, so that the body of every kernel is covered and compared with its twin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def jit(function: Kernel) -> Kernel:
    """Compile a kernel.

    Parameters
    ----------
    function
        Loops over arrays and numbers; it may call other kernels made with :func:`jit`.

    Returns
    -------
    The compiled kernel, with the plain function as its attribute ``python``.
    """
    compiled: Kernel = numba.jit(nopython=True, nogil=True, cache=True)(function)
    compiled.python = function  # type: ignore[attr-defined]
    return compiled
