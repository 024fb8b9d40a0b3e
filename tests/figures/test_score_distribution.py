"""The picture of a score."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import ParameterError
from chemores_dask.figures.score_distribution import score_distribution
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_results import cube_result, score_result, states_result


def test_score_distribution__counts_what_lies_above_the_threshold():
    scores = score_result()
    figure = score_distribution(scores, states=states_result(), by="stage", cube=cube_result())
    relapse = np.array(["relapse" in name for name in scores["cell"].values])
    share = (scores["cell_score"].values[relapse, 0] >= 0.55).mean()
    assert f"{100 * share:.0f} % above" in said(figure)
    assert [line.get_xdata()[0] for line in by_name(figure, "threshold")] == [0.55, 0.55]
    assert "patients are the replicates" in said(figure)


def test_score_distribution__histograms_hold_every_cell():
    for steps in by_name(score_distribution(score_result(), by="sample"), "histogram"):
        assert np.isclose(steps.get_data().values.sum(), 1.0)


def test_score_distribution__asks_which_score():
    both = xr.concat([score_result(), score_result().assign_coords(gene_set=["cycle"])], dim="gene_set")
    with pytest.raises(ParameterError, match="stemness, cycle"):
        score_distribution(both)
    assert "Score of cycle" in said(score_distribution(both, gene_set="cycle"))
    assert "Score of stemness" in said(score_distribution(both, states=states_result()))
    with pytest.raises(ParameterError, match="must be one of"):
        score_distribution(both, gene_set="none")


def test_score_distribution__says_that_there_are_no_scores():
    assert "no cells" in said(score_distribution(score_result().isel(cell=[])))


def test_score_distribution__draws_a_score_that_never_varies():
    scores = score_result()
    scores["cell_score"][:] = 0.2
    assert "1,800 cells" in said(score_distribution(scores))
