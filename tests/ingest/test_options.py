"""Tests of the options of an ingest."""

from __future__ import annotations

import dataclasses

import pytest

from chemores_dask.errors import ParameterError
from chemores_dask.ingest.options import IngestOptions


@pytest.mark.parametrize("changed", [{"genes": "all"}, {"rows_per_block": 0}, {"nonzeros_per_block": 0}])
def test_ingest_options__refuses_values_out_of_range(changed: dict[str, object]) -> None:
    with pytest.raises(ParameterError, match=next(iter(changed))):
        IngestOptions(**changed)


def test_ingest_options__cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        IngestOptions().species = "mm10"
