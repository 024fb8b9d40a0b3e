"""The picture of normalized scores."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import MissingVariableError, ParameterError
from chemores_dask.figures.enrichment_dots import LARGEST_DOT, enrichment_dots
from chemores_dask.testing.enrichment_nouns import tiny_enrichment
from tests.figures.drawn import said, texts_of


@pytest.fixture(scope="module")
def enrichment():
    return tiny_enrichment()


def dots(axes, name):
    (found,) = [each for each in axes.collections if each.get_gid() == name]
    return np.asarray(found.get_offsets()), np.asarray(found.get_sizes())


def test_enrichment_dots__draws_scores_by_sign_and_significance(enrichment):
    axes = enrichment_dots(enrichment).axes[0]
    drawn = {
        (sign, kind): dots(axes, f"{sign} {kind}")[0][:, 0].tolist()
        for sign in ("up", "down")
        for kind in ("significant", "open")
    }
    score, q_value = enrichment["prerank_normalized_score"].values, enrichment["prerank_q_value"].values
    for (sign, kind), found in drawn.items():
        wanted = ((score >= 0) if sign == "up" else (score < 0)) & ((q_value < 0.05) == (kind == "significant"))
        wanted &= ~np.isnan(score)
        assert sorted(found) == sorted(score[wanted])
    assert drawn["up", "significant"]
    assert drawn["down", "significant"]


def test_enrichment_dots__are_as_large_as_the_leading_edge(enrichment):
    axes = enrichment_dots(enrichment).axes[0]
    places, sizes = dots(axes, "up significant")
    leading = enrichment["prerank_leading_genes"].values
    wanted = {
        float(score): LARGEST_DOT * genes / leading.max()
        for score, genes in zip(enrichment["prerank_normalized_score"].values, leading, strict=True)
    }
    np.testing.assert_allclose(sizes, [wanted[score] for score in places[:, 0]])


def test_enrichment_dots__lists_sets_from_the_largest_score_to_the_smallest(enrichment):
    labels = [label.get_text() for label in enrichment_dots(enrichment).axes[0].get_yticklabels()]
    score = enrichment["prerank_normalized_score"]
    order = [str(name) for name in score["gene_set"].values[np.argsort(-score.values)]]
    assert labels == [name for name in order if name != "unmeasured"]
    fewer = enrichment_dots(enrichment, sets=1).axes[0]
    assert [label.get_text() for label in fewer.get_yticklabels()] == ["raised", "lowered"]


def test_enrichment_dots__puts_others_into_panels_of_their_own(enrichment):
    other = tiny_enrichment(22).isel(gene_set=[1, 2])
    figure = enrichment_dots(enrichment, others={"validation": other}, title="discovery")
    assert {"discovery", "validation"} <= set(texts_of(figure))
    places = np.concatenate(
        [dots(figure.axes[1], f"{sign} {kind}")[0] for sign in ("up", "down") for kind in ("significant", "open")]
    )
    assert len(places) == 2
    words = said(figure).replace("\n", " ")
    assert "discovery: n = 12 patients; validation: n = 12 patients behind the ranking" in words
    assert "q < 0.05 in discovery" in words


def test_enrichment_dots__says_tests_and_numbers(enrichment):
    words = said(enrichment_dots(enrichment, sets=1)).replace("\n", " ")
    significant = int((enrichment["prerank_q_value"].values < 0.05).sum())
    assert f"{significant} of 4 gene sets with q < 0.05" in words
    assert "n = 12 patients behind the ranking" in words
    assert "genes permuted, patients not; q:" in words
    assert "The foremost 2 of 4 sets" in words
    assert "199 genes ranked" in words
    bare = enrichment.drop_vars(["prerank_patients", "prerank_ranked_genes"])
    assert "number of patients is not recorded" in said(enrichment_dots(bare)).replace("\n", " ")


def test_enrichment_dots__says_when_nothing_was_tested(enrichment):
    assert "nothing to draw" in said(enrichment_dots(enrichment.isel(gene_set=[4])))


def test_enrichment_dots__refuses_bad_options_and_results(enrichment):
    with pytest.raises(ParameterError, match="'sets' parameter"):
        enrichment_dots(enrichment, sets=0)
    with pytest.raises(ParameterError, match="'q' parameter"):
        enrichment_dots(enrichment, q=2)
    with pytest.raises(MissingVariableError, match="needs the variable 'prerank_q_value'"):
        enrichment_dots(enrichment.drop_vars("prerank_q_value"))
