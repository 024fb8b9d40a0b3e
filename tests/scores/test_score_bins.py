"""Scores counted in one pass, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.errors import InputError, MissingVariableError, ParameterError
from chemores_dask.scores.score_bins import CountBins, MergeBins, refuse_broken, score_bins, score_rows
from tests.scores.score_tables import scores_of, two_groups

FIELDS = ("groups", "bins", "counts", "lowest", "highest")


@pytest.mark.parametrize("lazy", [1, 7, 1000])
def test_score_bins__have_the_same_bits_for_any_blocks(lazy):
    values, patients, _ = two_groups(1, cells=300)
    values[:3] = 0.0
    whole = score_bins(scores_of(values, patients=patients), gene_set="set", patient="patient", caller="test")
    cut = score_bins(scores_of(values, patients=patients, lazy=lazy), gene_set="set", patient="patient", caller="test")
    assert whole.found.exponent == cut.found.exponent
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(whole.found, name), getattr(cut.found, name))
    assert whole.patients.tolist() == sorted(set(patients))
    assert whole.found.counts.sum() == whole.cells == 300
    assert whole.pooled.counts.sum() == 300


def test_score_bins__count_zeros():
    found = score_bins(scores_of([0.0, 0.0, 1.0, 0.0]), gene_set="set", patient=None, caller="test")
    assert found.pooled.counts.tolist() == [3.0, 1.0]
    assert found.pooled.lowest.tolist() == [0.0, 1.0]


def test_score_bins__resamples_draw_whole_patients():
    values, patients, _ = two_groups(2, cells=200, patients=4)
    found = score_bins(scores_of(values, patients=patients), gene_set="set", patient="patient", caller="test")
    drawn = [found.resampled(seed=3, repeat=repeat) for repeat in range(20)]
    assert all(bins.counts.sum() == 200 for bins in drawn)
    again = found.resampled(seed=3, repeat=7)
    np.testing.assert_array_equal(again.counts, drawn[7].counts)
    assert len({tuple(bins.counts) for bins in drawn}) > 10


def test_score_rows__are_one_column():
    assert score_rows(scores_of([1.0, 2.0]), gene_set="set", caller="test").compute().ravel().tolist() == [1.0, 2.0]


def test_score_bins__refuses_what_it_cannot_count():
    scores = scores_of([1.0, np.nan, np.inf], patients=["P1", "P1", "P2"])
    with pytest.raises(InputError, match="missing or infinite scores in 2 of 3 cells"):
        score_bins(scores, gene_set="set", patient=None, caller="test")
    with pytest.raises(InputError, match=r"needs cells\. Got none"):
        score_bins(scores_of([]), gene_set="set", patient=None, caller="test")
    with pytest.raises(ParameterError, match="must be one of: other, set"):
        score_bins(scores, gene_set="none", patient=None, caller="test")
    with pytest.raises(MissingVariableError, match="'donor'"):
        score_bins(scores, gene_set="set", patient="donor", caller="test")
    for unknown in (None, "", np.nan):
        with pytest.raises(InputError, match="'patient' is missing in 1 of 2 cells"):
            score_bins(
                scores_of([1.0, 2.0], patients=["P1", unknown]), gene_set="set", patient="patient", caller="test"
            )


def test_refuse_broken__is_silent_about_sound_scores():
    refuse_broken(0, 5)


def test_count_bins__and_their_merge_hold_no_score_per_cell():
    scores = scores_of(np.random.default_rng(0).normal(size=20000), lazy=5000)
    rows = score_rows(scores, gene_set="set", caller="test")
    blocks = [np.asarray(rows.blocks[place].compute()) for place in range(4)]
    merge = MergeBins(64)
    states = [CountBins(64)(sp.csr_matrix(block), {"group": np.zeros(5000, dtype=int)}) for block in blocks]
    merged = merge(merge(states[0], states[1]), merge(states[2], states[3]))
    assert len(merged.bins) <= 64
    assert merged.counts.sum() == 20000
