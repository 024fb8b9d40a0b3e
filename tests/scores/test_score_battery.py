"""What every score promises, checked on every score, from cells and from patients."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import anndata
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr

from chemores_dask.errors import GeneMismatchError, InputError, MissingGenesWarning, MissingVariableError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.results_spec import check_result
from chemores_dask.scores.score_methods import SCORE_METHODS, ScoreMethod
from chemores_dask.stream import as_rows

ROWS, GENES = 40, 150
NAMES = [f"row{i}" for i in range(ROWS)]
GENE_NAMES = [f"gene{i}" for i in range(GENES)]
CELLS, PATIENTS = "cells", "patients"

records = pytest.mark.parametrize("record", SCORE_METHODS.values(), ids=lambda record: record.name)
either = pytest.mark.parametrize("kind", [CELLS, PATIENTS])
first, second, copy = (tuple(f"gene{i}" for i in numbers) for numbers in (range(3, 11), range(20, 41), range(3, 11)))


def matrix() -> np.ndarray:
    """Logarithms of scaled counts: many ties, many zeros."""
    generator = np.random.default_rng(31)
    counts = generator.poisson(generator.gamma(0.6, 1.5, GENES) + 0.2, (ROWS, GENES))
    counts[:, :12] += 1
    return np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e3)


def sets_for(record: ScoreMethod, **genes: tuple[str, ...]) -> GeneSets:
    """Sets with weights where the score needs some."""
    chosen = genes or {"first": first, "second": second, "copy": copy}
    weigh = (lambda names: {n: 1.0 + i % 3 for i, n in enumerate(names)}) if record.needs_weights else lambda names: {}
    return GeneSets(tuple(GeneSet(name, names, weights=weigh(names)) for name, names in chosen.items()))


def noun(
    kind: str, values: np.ndarray, names: list[str] = NAMES, genes: list[str] = GENE_NAMES, size: int = 0
) -> object:
    """The same numbers as cells or as patients, whole or in blocks of some rows."""
    if kind == CELLS:
        rows = as_rows(sp.csr_matrix(values), rows_per_block=size) if size else sp.csr_matrix(values)
        return anndata.AnnData(rows, obs=pd.DataFrame(index=names), var=pd.DataFrame(index=genes))
    patients = xr.Dataset({"expression": (("patient", "gene"), values)}, coords={"patient": names, "gene": genes})
    return patients.chunk({"gene": 11, "patient": size}) if size else patients


def scored(record: ScoreMethod, kind: str, table: object, gene_sets: GeneSets | None = None) -> xr.Dataset:
    return record.function(table, gene_sets or sets_for(record), **record.options).compute()


def values_of(result: xr.Dataset) -> np.ndarray:
    return result["cell_score" if "cell_score" in result else "patient_score"].values


@records
@either
def test_score__declares_what_it_returns(record, kind):
    result = scored(record, kind, noun(kind, matrix()))
    spec = __import__(record.function.__module__, fromlist=["RESULT"]).RESULT
    check_result(spec, result)
    dimension = {CELLS: "cell", PATIENTS: "patient"}[kind]
    assert ("cell_score" in result) == (kind == CELLS)
    assert ("patient_score" in result) == (kind == PATIENTS)
    assert result[dimension].values.tolist() == NAMES
    assert result["gene_set"].values.tolist() == ["first", "second", "copy"]
    assert result["score_genes"].values.tolist() == [8, 21, 8]
    assert result["score_genes_missing"].values.tolist() == [0, 0, 0]
    assert result.attrs["analysis"] == record.name
    assert np.isfinite(values_of(result)).all()
    assert values_of(result).min() >= record.least
    assert values_of(result).max() <= record.most


@records
def test_score__of_cells_is_lazy_and_that_of_patients_is_not(record):
    lazy = record.function(noun(CELLS, matrix(), size=9), sets_for(record), **record.options)
    assert isinstance(lazy["cell_score"].data, da.Array)
    known = record.function(noun(PATIENTS, matrix(), size=9), sets_for(record), **record.options)
    assert isinstance(known["patient_score"].data, np.ndarray)
    scores = known["patient_score"].values
    np.testing.assert_array_equal(known["patient_score_median"], np.median(scores, axis=0))
    np.testing.assert_array_equal(known["patient_score_high"], scores > np.median(scores, axis=0))


@records
def test_score__of_cells_and_of_patients_agrees(record):
    cells = values_of(scored(record, CELLS, noun(CELLS, matrix())))
    patients = values_of(scored(record, PATIENTS, noun(PATIENTS, matrix())))
    turned = noun(PATIENTS, matrix()).transpose("gene", "patient")
    np.testing.assert_allclose(patients, cells, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(values_of(scored(record, PATIENTS, turned)), cells, rtol=1e-10, atol=1e-12)


@records
@either
@pytest.mark.parametrize("size", [1, 7, 39])
def test_score__does_not_depend_on_blocks(record, kind, size):
    whole = scored(record, kind, noun(kind, matrix()))
    cut = scored(record, kind, noun(kind, matrix(), size=size))
    tolerance = 1e-10 if record.needs_cohort else 1e-14
    np.testing.assert_allclose(values_of(cut), values_of(whole), rtol=tolerance, atol=tolerance)


@records
@either
def test_score__follows_the_order_of_rows_and_of_genes(record, kind):
    expected = values_of(scored(record, kind, noun(kind, matrix())))
    rows = np.random.default_rng(1).permutation(ROWS)
    genes = np.random.default_rng(2).permutation(GENES)
    moved = noun(kind, matrix()[rows], names=[NAMES[i] for i in rows])
    np.testing.assert_allclose(values_of(scored(record, kind, moved)), expected[rows], rtol=1e-9, atol=1e-10)
    turned = noun(kind, matrix()[:, genes], genes=[GENE_NAMES[i] for i in genes])
    np.testing.assert_allclose(values_of(scored(record, kind, turned)), expected, rtol=1e-9, atol=1e-10)


@records
def test_score__has_the_same_bits_for_the_same_seed(record):
    results = [values_of(scored(record, CELLS, noun(CELLS, matrix(), size=7))) for _ in range(2)]
    np.testing.assert_array_equal(*results)


@records
def test_score__needs_the_cohort_only_where_its_record_says_so(record):
    whole = values_of(scored(record, PATIENTS, noun(PATIENTS, matrix())))
    some = values_of(scored(record, PATIENTS, noun(PATIENTS, matrix()[5:20], names=NAMES[5:20])))
    if record.needs_cohort:
        assert np.abs(some - whole[5:20]).max() > 1e-6
    else:
        np.testing.assert_allclose(some, whole[5:20], rtol=1e-12, atol=1e-12)


@records
@either
def test_score__of_one_set_does_not_depend_on_other_sets(record, kind):
    together = scored(record, kind, noun(kind, matrix()))
    alone = scored(record, kind, noun(kind, matrix()), sets_for(record, second=second))
    np.testing.assert_allclose(values_of(alone)[:, 0], values_of(together)[:, 1], rtol=1e-12, atol=1e-12)
    # The same genes under another name have the same score.
    np.testing.assert_array_equal(values_of(together)[:, 0], values_of(together)[:, 2])


@records
@either
def test_score__says_which_genes_are_missing(record, kind):
    some = sets_for(record, first=(*first, "absent", "XIST"), second=second)
    with pytest.warns(MissingGenesWarning, match="2 of 10 genes.*'first'"):
        result = scored(record, kind, noun(kind, matrix()), some)
    assert result["score_genes"].values.tolist() == [8, 21]
    assert result["score_genes_missing"].values.tolist() == [2, 0]


@records
@either
def test_score__refuses_sets_that_were_hardly_measured(record, kind):
    few = sets_for(record, first=("gene1", "TP53", "MYC", "XIST"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingGenesWarning)
        with pytest.raises(GeneMismatchError, match="'first'"):
            scored(record, kind, noun(kind, matrix()), few)
    none = sets_for(record, none=("TP53", "MYC"))
    with pytest.raises(GeneMismatchError, match="'none'"):
        record.function(noun(kind, matrix()), none, minimum_share=0.0, **record.options)


@records
@either
def test_score__of_a_row_without_expression_is_a_number_or_missing(record, kind):
    values = matrix()
    values[4] = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = values_of(scored(record, kind, noun(kind, values)))
    others = np.delete(np.arange(ROWS), 4)
    assert np.isfinite(scores[others]).all()
    assert record.least <= scores[4].min() or np.isnan(scores[4]).all()
    if not record.needs_cohort:
        untouched = values_of(scored(record, kind, noun(kind, matrix())))
        np.testing.assert_allclose(scores[others], untouched[others], rtol=1e-12, atol=1e-12)


@records
@either
def test_score__takes_values_below_zero(record, kind):
    values = matrix() - matrix().mean(axis=0)
    cells = values_of(scored(record, CELLS, noun(CELLS, values)))
    scores = values_of(scored(record, kind, noun(kind, values)))
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores, cells, rtol=1e-9, atol=1e-10)


@records
@either
def test_score__works_on_one_row_or_says_why_not(record, kind):
    one = noun(kind, matrix()[:1], names=NAMES[:1])
    refusal: Callable[[], object] = lambda: scored(record, kind, one)  # noqa: E731 - called once, below
    if record.name == "mean_zscore":
        with pytest.raises(InputError, match=r"at least 2"):
            refusal()
    else:
        assert values_of(refusal()).shape == (1, 3)


@records
@either
def test_score__refuses_what_has_no_rows_or_no_sets(record, kind):
    with pytest.raises(InputError, match=kind[:-1]):
        scored(record, kind, noun(kind, matrix()[:0], names=[]))
    with pytest.raises(InputError, match="needs gene sets"):
        record.function(noun(kind, matrix()), GeneSets(()), **record.options)


@records
@either
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_score__refuses_expression_that_is_not_known(record, kind, value):
    values = matrix()
    values[3, 5] = value
    with pytest.raises(InputError, match=r"[Mm]issing|known"):
        scored(record, kind, noun(kind, values, size=7))


@records
def test_score__refuses_names_that_repeat_and_what_is_no_table(record):
    genes = ["gene1", "gene1", *GENE_NAMES[2:]]
    for kind in (CELLS, PATIENTS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # anndata warns about the repeated name itself
            table = noun(kind, matrix(), genes=genes)
        with pytest.raises(InputError, match="Found more than once: gene1"):
            scored(record, kind, table)
    with pytest.raises(InputError, match="row0"):
        scored(record, PATIENTS, noun(PATIENTS, matrix(), names=["row0", "row0", *NAMES[2:]]))
    with pytest.raises(MissingVariableError, match="'tpm'"):
        record.function(noun(PATIENTS, matrix()), sets_for(record), expression="tpm", **record.options)
    with pytest.raises(InputError, match=r"needs cells as AnnData\. Got ndarray"):
        record.function(matrix(), sets_for(record), **record.options)


@records
def test_score__has_a_record_that_says_what_it_is(record):
    assert record.function.__name__ == record.name
    for text in (record.formula, record.limits, record.reference, record.expects):
        assert len(text) > 10
    assert record.least < record.most
