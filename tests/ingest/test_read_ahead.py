from __future__ import annotations

import threading

import pytest

from chemores_dask.ingest.read_ahead import read_ahead


@pytest.mark.parametrize("length", [0, 1, 2, 50])
def test_read_ahead__keeps_the_order(length):
    assert list(read_ahead(iter(range(length)))) == list(range(length))


def test_read_ahead__takes_falsy_items():
    assert list(read_ahead(iter([None, 0, ""]))) == [None, 0, ""]


def test_read_ahead__works_in_another_thread():
    def threads():
        for _ in range(3):
            yield threading.get_ident()

    found = set(read_ahead(threads()))
    assert len(found) == 1
    assert threading.get_ident() not in found


def test_read_ahead__raises_where_the_item_would_be():
    def broken():
        yield 1
        message = "here"
        raise ValueError(message)

    items = read_ahead(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="here"):
        next(items)


def test_read_ahead__closes_what_it_read_when_the_caller_stops():
    closed = []

    def endless():
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    items = read_ahead(endless())
    next(items)
    items.close()
    assert closed == [True]
