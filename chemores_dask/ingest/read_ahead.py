"""Reading in one thread while the caller works in another."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def read_ahead(items: Generator[Item, None, None] | Iterator[Item]) -> Iterator[Item]:
    """Take items one ahead of the caller, in a thread of their own.

    Parameters
    ----------
    items
        Where they come from; closed at the end, also when the caller stops early.

    Yields
    ------
    The items, in order.

    Raises
    ------
    Exception
        Whatever taking an item raised, at the place of that item.

    Examples
    --------
    >>> list(read_ahead(iter("abc")))
    ['a', 'b', 'c']
    """
    end = object()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ingest-reader") as thread:
        try:
            coming = thread.submit(next, items, end)
            while (item := coming.result()) is not end:
                coming = thread.submit(next, items, end)
                yield item  # type: ignore[misc]
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                thread.submit(close).result()
