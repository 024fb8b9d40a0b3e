"""The picture of the stability of clusters."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.cluster_stability_plot import SHOWN, cluster_stability_plot
from chemores_dask.graph.cluster_stability import cluster_stability
from chemores_dask.testing.graph_nouns import tiny_graph
from tests.figures.drawn import by_name, overlaps, said
from tests.figures.examples_of_results import stability_result


def test_cluster_stability_plot__draws_both_ways_for_each_cluster():
    result = stability_result()
    figure = cluster_stability_plot(result)
    for draw in ("other seed", "part of the cells"):
        (dots,) = by_name(figure, draw)
        assert np.array_equal(dots.get_xdata(), result["stability_cluster_rand"].sel(draw=draw))
    assert "5 clusters of" in said(figure)
    assert "put to the test 20 times" in said(figure)


def test_cluster_stability_plot__sorts_clusters_by_size_and_draws_the_largest():
    result = stability_result(SHOWN + 5).isel(cluster=slice(None, None, -1))
    figure = cluster_stability_plot(result)
    (dots,) = by_name(figure, "other seed")
    assert len(dots.get_xdata()) == SHOWN
    expected = result["stability_cluster_rand"].sel(draw="other seed").values[::-1][:SHOWN]
    assert np.array_equal(dots.get_xdata(), expected)
    assert f"The {SHOWN} largest of {SHOWN + 5} clusters" in said(figure).replace("\n", " ")


def test_cluster_stability_plot__says_where_nothing_was_drawn():
    figure = cluster_stability_plot(stability_result(undrawn=True))
    assert "no dot" in said(figure)
    assert "parts of the cells: " not in said(figure)
    assert not overlaps(figure)


def test_cluster_stability_plot__takes_no_clusters_and_refuses_other_results():
    assert "no clusters" in said(cluster_stability_plot(stability_result().isel(cluster=[])))
    with pytest.raises(MissingVariableError, match="stability_cluster_rand"):
        cluster_stability_plot(stability_result().drop_vars("stability_cluster_rand"))


def test_cluster_stability_plot__draws_what_the_analysis_gives():
    figure = cluster_stability_plot(cluster_stability(tiny_graph(), repeats=2, seed=1))
    assert "of 120 cells" in said(figure)
