"""The records of scores; what they promise is tested in the battery."""

from __future__ import annotations

import chemores_dask as cd
from chemores_dask.scores.score_methods import SCORE_METHODS
from chemores_dask.workflow.catalogue import CATALOGUE, EITHER


def test_records__are_those_of_the_room():
    assert list(SCORE_METHODS) == [
        "module_score", "ucell", "aucell", "mean_zscore", "ssgsea", "singscore", "weighted_score",
    ]  # fmt: skip


def test_records__are_open_to_users_and_pipelines():
    for name, record in SCORE_METHODS.items():
        assert getattr(cd, name) is record.function
        assert CATALOGUE[name].function is record.function
        assert CATALOGUE[name].takes == EITHER
