"""Sets of one cohort in another: by hand, against scipy, and what cannot be compared."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import hypergeom, spearmanr

from chemores_dask.cohort.enrichment.enrichment_replication import enrichment_replication
from chemores_dask.errors import GeneMismatchError, InputError, MissingVariableError
from chemores_dask.testing.enrichment_nouns import tiny_enrichment


def cohort(scores, q_values, names=None):
    return xr.Dataset(
        {
            "prerank_normalized_score": ("gene_set", np.array(scores, dtype=float)),
            "prerank_q_value": ("gene_set", np.array(q_values, dtype=float)),
        },
        coords={"gene_set": names or [f"set {number}" for number in range(len(scores))]},
    )


FIRST = cohort([2.0, 1.8, -1.9, -2.2, 0.5, 1.0, 1.7, np.nan], [0.01, 0.02, 0.01, 0.01, 0.9, 0.5, 0.04, np.nan])
SECOND = cohort([2.1, 0.4, -1.5, 1.9, 0.2, 1.6, 1.5, 1.0], [0.01, 0.60, 0.03, 0.04, 0.8, 0.02, 0.04, 0.9])


def test_enrichment_replication__counts_by_direction():
    result = enrichment_replication(FIRST, SECOND)
    assert result["gene_set"].values.tolist() == [f"set {number}" for number in range(7)]
    flags = result["replication_outcome"].attrs["flag_meanings"].split()
    outcome = [flags[number] for number in result["replication_outcome"].values]
    assert outcome == ["both", "first_only", "both", "opposite", "neither", "second_only", "both"]
    assert result["replication_first_sets"].values.tolist() == [3, 2]
    assert result["replication_second_sets"].values.tolist() == [4, 1]
    assert result["replication_both_sets"].values.tolist() == [2, 1]
    np.testing.assert_allclose(result["replication_expected_sets"].values, [12 / 7, 2 / 7])
    np.testing.assert_allclose(
        result["replication_p_value"].values, [hypergeom.sf(1, 7, 3, 4), hypergeom.sf(0, 7, 2, 1)]
    )
    assert int(result["replication_opposite_sets"]) == 1
    assert int(result["replication_sets"]) == 7
    assert float(result["replication_same_sign_share"]) == pytest.approx(6 / 7)
    expected = spearmanr(
        FIRST["prerank_normalized_score"].values[:7], SECOND["prerank_normalized_score"].values[:7]
    ).statistic
    assert float(result["replication_rank_correlation"]) == pytest.approx(expected)


def test_enrichment_replication__matches_sets_by_name():
    shuffled = SECOND.isel(gene_set=[4, 2, 0, 6, 1, 3, 5])
    assert enrichment_replication(FIRST, shuffled).identical(enrichment_replication(FIRST, SECOND))


def test_enrichment_replication__of_real_results_keeps_the_patients():
    result = enrichment_replication(tiny_enrichment(), tiny_enrichment(22))
    assert int(result["replication_first_patients"]) == int(result["replication_second_patients"]) == 12
    flags = result["replication_outcome"].attrs["flag_meanings"].split()
    assert flags[int(result["replication_outcome"].sel(gene_set="raised"))] == "both"
    assert "unmeasured" not in result["gene_set"].values


def test_enrichment_replication__has_no_correlation_of_equal_scores():
    flat = cohort([1.0, 1.0, 1.0], [0.5, 0.5, 0.5])
    assert np.isnan(enrichment_replication(flat, flat)["replication_rank_correlation"])


def test_enrichment_replication__refuses_what_cannot_be_compared():
    with pytest.raises(GeneMismatchError, match=r"at least 3 sets that were tested in both cohorts. Found 2"):
        enrichment_replication(FIRST, SECOND.isel(gene_set=[0, 1]))
    with pytest.raises(GeneMismatchError, match="Found 0 of 8 and 3"):
        enrichment_replication(FIRST, cohort([1, 2, 3], [0, 0, 0], ["a", "b", "c"]))
    with pytest.raises(InputError, match="Names of sets must be unique"):
        enrichment_replication(FIRST, cohort([1, 2], [0, 0], ["a", "a"]))
    with pytest.raises(MissingVariableError, match="the second result"):
        enrichment_replication(FIRST, xr.Dataset())
