"""Rankings: order, ties by name, what is refused."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.enrichment.ranked_genes import (
    as_dataset,
    gene_names,
    gene_truths,
    gene_values,
    patients_behind,
    rank_genes,
)
from chemores_dask.errors import InputError, MissingVariableError, TiedRanksWarning


def genes(values, names=None):
    names = names or [f"G{number}" for number in range(len(values))]
    return xr.Dataset({"t": ("gene", np.asarray(values))}, coords={"gene": names})


def ranked(table, statistic="t"):
    return rank_genes(table, statistic=statistic, caller="a test")


def test_rank_genes__puts_the_highest_first_and_leaves_out_what_has_no_value():
    found = ranked(genes([0.5, np.nan, 2.0, -1.0]))
    assert found.order.tolist() == [2, 0, 3]
    assert found.places.tolist() == [1, -1, 0, 2]
    assert found.tied_share == 0


def test_rank_genes__orders_ties_by_name_whatever_the_order_of_the_input():
    table = genes([1.0, 1.0, 5.0, 3.0], ["B", "A", "D", "C"])
    with pytest.warns(TiedRanksWarning, match=r"50% of the genes share their 't' with others \(0% are 0\)"):
        first = ranked(table)
    with pytest.warns(TiedRanksWarning):
        second = ranked(table.isel(gene=[3, 1, 0, 2]))
    assert first.names[first.order].tolist() == second.names[second.order].tolist() == ["D", "C", "A", "B"]


def test_rank_genes__reads_lazy_values_and_whole_numbers():
    table = genes([3, 1, 2])
    lazy = table.assign(t=("gene", da.from_array(table["t"].values, chunks=2)))
    assert ranked(lazy).order.tolist() == ranked(table).order.tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, np.inf, 2.0], "must be finite.*G1.*ranking_of"),
        ([1.0, 1.0, 1.0], "3 of 3 genes have a 't', with 1 different"),
        ([1.0, np.nan, 2.0], "at least 3 genes.*2 of 3"),
        ([1.0], "1 of 1 genes"),
        ([np.nan, np.nan, np.nan], "0 of 3 genes"),
        (np.array(["a", "b", "c"], dtype=object), "needs numbers. 't' holds object"),
    ],
)
def test_rank_genes__refuses_what_gives_no_order(values, message):
    with pytest.raises(InputError, match=message):
        ranked(genes(values))


def test_gene_names__must_be_there_and_unique():
    with pytest.raises(InputError, match=r"Found more than once: A; keep one row"):
        gene_names(genes([1.0, 2.0, 3.0], ["A", "A", "B"]), caller="a test")
    with pytest.raises(MissingVariableError, match="needs a coordinate 'gene'"):
        gene_names(xr.Dataset({"t": ("gene", [1.0])}), caller="a test")


def test_gene_values__must_run_over_genes():
    table = genes([1.0, 2.0]).assign(other=("patient", [1.0]), flat=((), 3.0))
    assert gene_values(table, ["t", "t"], caller="a test")[1].tolist() == [1.0, 2.0]
    for name in ("other", "flat", "absent"):
        with pytest.raises(MissingVariableError, match=f"needs the variable '{name}' over .gene."):
            gene_values(table, [name], caller="a test")


def test_gene_truths__must_be_boolean():
    table = genes([1.0, 2.0]).assign(chosen=("gene", [True, False]))
    assert gene_truths(table, ["chosen"], caller="a test")[0].tolist() == [True, False]
    with pytest.raises(InputError, match=r"needs truths over genes. 't' holds float64"):
        gene_truths(table, ["t"], caller="a test")


def test_as_dataset__names_a_labeled_array():
    table = genes([1.0, 2.0])
    assert as_dataset(table["t"], "z")["z"].values.tolist() == [1.0, 2.0]
    assert as_dataset(table, "t") is table


def test_patients_behind__takes_the_number_of_the_statistic_itself():
    table = genes([1.0, 2.0]).assign(t_patients=("gene", [8, 9]), other_patients=((), 50))
    assert patients_behind(table, "t_value", name="n") == {"n": 9}
    assert patients_behind(table.drop_vars("t_patients"), "t_value", name="n") == {"n": 50}
    assert patients_behind(table, "z", name="n") == {}
    assert patients_behind(genes([1.0]), "t", name="n") == {}
