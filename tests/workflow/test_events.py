from __future__ import annotations

from chemores_dask.workflow.events import RowsDecoded, watch_nothing


def test_watch_nothing__takes_any_event():
    assert watch_nothing(RowsDecoded(1, 2)) is None
