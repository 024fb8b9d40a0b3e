"""The picture of running sums."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import MissingVariableError, ParameterError
from chemores_dask.figures.running_sum_plot import running_sum
from chemores_dask.testing.enrichment_nouns import tiny_enrichment
from tests.figures.drawn import by_name, overlaps, said


@pytest.fixture(scope="module")
def enrichment():
    return tiny_enrichment()


def lines(figure, name):
    return [line for axes in figure.axes for line in axes.lines if line.get_gid() == name]


def strokes(figure):
    return [each for axes in figure.axes for each in axes.collections if each.get_gid() == "members"]


def test_running_sum__reaches_the_score_where_the_leading_edge_ends(enrichment):
    for name in ("raised", "lowered", "mixed"):
        figure = running_sum(enrichment, gene_sets=[name])
        (curve,), (peak,) = lines(figure, "curve"), lines(figure, "peak")
        score = float(enrichment["prerank_score"].sel(gene_set=name))
        heights = curve.get_ydata()
        assert heights[np.argmax(np.abs(heights))] == pytest.approx(score)
        assert float(peak.get_ydata()[0]) == pytest.approx(score)
        assert len(heights) == 200
        assert heights[0] == 0
        assert heights[-1] == pytest.approx(0, abs=1e-12)


def test_running_sum__has_a_stroke_for_each_member(enrichment):
    leading, others = strokes(running_sum(enrichment, gene_sets=["raised"]))
    places = [segment[0][0] for each in (leading, others) for segment in each.get_segments()]
    start, stop = enrichment["prerank_offset"].values[:2]
    members = enrichment["prerank_member"].values[start:stop]
    assert sorted(places) == sorted(enrichment["prerank_place"].values[members])
    assert len(leading.get_segments()) == int(enrichment["prerank_leading_genes"][0])


def test_running_sum__says_scores_tests_and_numbers(enrichment):
    words = said(running_sum(enrichment, gene_sets=["raised"])).replace("\n", " ")
    assert "raised gathers high in the ranking" in words
    assert "n = 12 patients behind the ranking of 199 genes" in words
    assert "genes permuted (200 random sets of each size)" in words
    assert "patients are not permuted" in words
    assert "NES" in words
    assert "15 genes" in words
    assert "FDR" in words
    lowered = said(running_sum(enrichment, gene_sets=["lowered"]))
    assert "lowered gathers low" in lowered
    alone = said(running_sum(enrichment.drop_vars("prerank_patients"), gene_sets=["raised"]))
    assert "number of patients is not recorded" in alone.replace("\n", " ")


def test_running_sum__takes_the_ends_of_the_list_unless_told(enrichment):
    words = said(running_sum(enrichment))
    assert "raised: NES" in words
    assert "lowered: NES −" in words
    assert len(lines(running_sum(enrichment, sets=4), "curve")) == 4
    assert len(lines(running_sum(enrichment, sets=1), "curve")) == 1
    up = enrichment.assign(prerank_normalized_score=np.abs(enrichment["prerank_normalized_score"]))
    assert len(lines(running_sum(up, sets=3), "curve")) == 3


@pytest.mark.parametrize("sets", [1, 2, 4])
def test_running_sum__can_be_read(enrichment, sets):
    assert overlaps(running_sum(enrichment, sets=sets)) == []


def test_running_sum__says_when_nothing_was_tested(enrichment):
    assert "nothing to draw" in said(running_sum(enrichment, gene_sets=["unmeasured"])).replace("\n", " ")


def test_running_sum__refuses_other_sets_and_results(enrichment):
    with pytest.raises(ParameterError, match="not there: absent"):
        running_sum(enrichment, gene_sets=["absent"])
    with pytest.raises(ParameterError, match="'sets' parameter"):
        running_sum(enrichment, sets=7)
    with pytest.raises(ParameterError, match="at most 6 sets"):
        running_sum(enrichment, gene_sets=["raised"] * 7)
    with pytest.raises(MissingVariableError, match="needs the variable 'prerank_score'"):
        running_sum(enrichment.drop_vars("prerank_score"))


def test_running_sum__draws_members_and_ranking(enrichment):
    figure = running_sum(enrichment)
    assert by_name(figure, "ranking")
