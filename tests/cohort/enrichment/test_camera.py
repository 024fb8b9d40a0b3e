"""Competitive test with correlation between genes, against limma."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_ind

from chemores_dask.cohort.enrichment.camera import camera_enrichment
from chemores_dask.errors import GeneMismatchError, InputError, ParameterError
from chemores_dask.gene_sets import GeneSets
from tests.cohort.enrichment.gene_tables import names_of, table_of

NAMES = names_of(200)
SETS = GeneSets.from_mapping({"first": NAMES[:15], "second": NAMES[20:60:3], "third": NAMES[149:199]})
LIMMA = {
    0.01: ([0.00155154462215804, 0.99786097505134053, 0.38252733987103860],
           [0.00465463386647413, 0.99786097505134053, 0.57379100980655795]),
    0.2: ([0.0733472217878114, 0.9987750634098107, 0.7235796394882863],
          [0.220041665363434, 0.998775063409811, 0.998775063409811]),
}  # fmt: skip
"""P and FDR of ``cameraPR(statistic, index, inter.gene.cor = ..., sort = FALSE)``, limma 3.54.1 in R 4.2.2."""


def waves():
    number = np.arange(200)
    statistic = 3 * np.sin(0.7 * number) + (number % 7) / 5
    statistic[:15] += 1.5
    return table_of(statistic)


@pytest.mark.parametrize("correlation", LIMMA)
def test_camera_enrichment__equals_limma(correlation):
    result = camera_enrichment(waves(), SETS, statistic="t", correlation=correlation)
    p_value, q_value = LIMMA[correlation]
    np.testing.assert_allclose(result["camera_p_value"].values, p_value, rtol=1e-10)
    np.testing.assert_allclose(result["camera_q_value"].values, q_value, rtol=1e-10)
    assert (np.sign(result["camera_statistic"].values) == [1, -1, -1]).all()


def test_camera_enrichment__is_a_t_test_without_correlation():
    result = camera_enrichment(waves(), SETS, statistic="t", correlation=0.0)
    values, members = waves()["t"].values, np.isin(NAMES, SETS["first"].up)
    expected = ttest_ind(values[members], values[~members])
    assert float(result["camera_statistic"][0]) == pytest.approx(expected.statistic, rel=1e-10)
    assert float(result["camera_p_value"][0]) == pytest.approx(expected.pvalue, rel=1e-10)
    difference = values[members].mean() - values[~members].mean()
    assert float(result["camera_difference"][0]) == pytest.approx(difference, rel=1e-10)
    assert (result["camera_inflation"].values == 1).all()


def test_camera_enrichment__leaves_out_what_it_cannot_test():
    table = waves().assign(t=waves()["t"].where(np.arange(200) != 3), t_patients=((), 8))
    sets = GeneSets.from_mapping({"first": SETS["first"].up, "unknown": ["X"], "every": NAMES})
    result = camera_enrichment(table, sets, statistic="t")
    assert result["camera_status"].values.tolist() == [0, 1, 3]
    assert result["camera_genes"].values.tolist() == [14, 0, 199]
    assert int(result["camera_ranked_genes"]) == 199
    assert int(result["camera_patients"]) == 8
    for name in ("difference", "statistic", "p_value", "q_value", "inflation"):
        assert np.isnan(result[f"camera_{name}"].values[1:]).all()


def test_camera_enrichment__keeps_its_level_where_genes_of_a_set_rise_together():
    # Twenty patients against twenty; genes of each set share a tenth of their variance, and no gene differs between the groups.
    draws = np.random.default_rng(9)
    names, size = names_of(1000), 50
    sets = GeneSets.from_mapping({f"set {start}": names[start : start + size] for start in range(0, 1000, size)})
    plain, inflated = [], []
    for _ in range(30):
        shared = np.repeat(draws.normal(size=(20, 40)), size, axis=0)
        expression = np.sqrt(0.1) * shared + np.sqrt(0.9) * draws.normal(size=(1000, 40))
        table = table_of(ttest_ind(expression[:, :20], expression[:, 20:], axis=1).statistic)
        for correlation, kept in ((0.0, plain), (0.1, inflated)):
            found = camera_enrichment(table, sets, statistic="t", correlation=correlation)
            kept.extend(found["camera_p_value"].values.tolist())
    assert (np.array(plain) < 0.05).mean() > 0.3
    assert (np.array(inflated) < 0.05).mean() < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 600)


def test_camera_enrichment__refuses_what_it_cannot_read():
    with pytest.raises(ParameterError, match="'correlation' parameter"):
        camera_enrichment(waves(), SETS, statistic="t", correlation=1.0)
    with pytest.raises(InputError, match="must be finite"):
        camera_enrichment(table_of([np.inf, 1.0, 2.0]), SETS, statistic="t")
    with pytest.raises(GeneMismatchError, match="At least one set"):
        camera_enrichment(waves(), SETS, statistic="t", minimum_size=60)
