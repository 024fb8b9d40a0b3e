"""Preranked GSEA: by hand, against gseapy on the same ranking, and what it does with bad input."""

from __future__ import annotations

import warnings

import gseapy
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.cohort.enrichment.leading_edge import leading_edge
from chemores_dask.cohort.enrichment.prerank import prerank_enrichment
from chemores_dask.errors import (
    GeneMismatchError,
    InputError,
    MissingVariableError,
    ParameterError,
    TiedRanksWarning,
)
from chemores_dask.gene_sets import GeneSet, GeneSets
from tests.cohort.enrichment.gene_tables import names_of, random_sets, random_table, table_of

PERMUTATIONS = 2000


def found(table, sets, **options):
    return prerank_enrichment(table, sets, **{"statistic": "t", "permutations": 100, "seed": 5, **options})


def gseapy_of(table, sets, *, weight=1.0, method="permutation", permutations=PERMUTATIONS):
    ranking = pd.Series(table["t"].values, index=table["gene"].values).sort_values(ascending=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = gseapy.prerank(
            rnk=ranking,
            gene_sets={gene_set.name: list(gene_set.up) for gene_set in sets},
            min_size=5,
            max_size=10_000,
            weight=weight,
            permutation_num=permutations,
            method=method,
            seed=3,
            threads=1,
            ascending=None,
            no_plot=True,
            outdir=None,
        )
    return made.res2d.set_index("Term").loc[list(sets.names)]


@pytest.fixture(scope="module")
def compared():
    table, sets = random_table(), random_sets()
    return found(table, sets, permutations=PERMUTATIONS), gseapy_of(table, sets)


def test_prerank_enrichment__is_what_one_finds_by_hand():
    # Ranking 4 3 2 -1 -2; the set holds the 2nd and the 4th gene: down 1/3, up 3/4, down 1/3, up 1/4, down 1/3.
    table = table_of([2.0, -1.0, 4.0, -2.0, 3.0])
    result = found(table, GeneSets.from_mapping({"set": ["G0001", "G0004", "X"]}), minimum_size=2)
    assert float(result["prerank_score"][0]) == pytest.approx(-1 / 3 + 3 / 4)
    assert result["prerank_place"].values.tolist() == [3, 4, 1, 5, 2]
    assert leading_edge(result, gene_set="set") == ["G0004"]
    assert int(result["prerank_leading_genes"][0]) == 1
    assert int(result["prerank_genes"][0]) == 2
    assert int(result["prerank_listed_genes"][0]) == 3
    assert result["prerank_member"].values.tolist() == [4, 1]


@pytest.mark.parametrize("weight", [0.0, 1.0, 2.0])
def test_prerank_enrichment__has_the_scores_and_leading_edges_of_gseapy(weight):
    table, sets = random_table(), random_sets()
    own, other = found(table, sets, weight=weight), gseapy_of(table, sets, weight=weight, permutations=10)
    np.testing.assert_allclose(own["prerank_score"].values, other["ES"].astype(float), atol=1e-12)
    for name in sets.names:
        assert leading_edge(own, gene_set=name) == other.loc[name, "Lead_genes"].split(";")


def test_prerank_enrichment__has_the_p_values_of_gseapy_within_their_error(compared):
    own, other = compared
    p_value = other["NOM p-val"].astype(float).to_numpy()
    plain = own["prerank_p_method"].values == 0
    assert plain.sum() > 25
    # Each side counts among about half of the permutations: binomial errors of both, and what the 1 added moves.
    half = PERMUTATIONS * 0.4
    error = np.sqrt(2 * np.clip(p_value * (1 - p_value), 1 / half, None) / half)
    apart = np.abs(own["prerank_p_value"].values - p_value)
    assert (apart[plain] < 4 * error[plain] + 1 / half).all()
    assert (p_value[~plain] < 20 / half).all()


def test_prerank_enrichment__has_the_normalized_scores_of_gseapy_within_their_error(compared):
    own, other = compared
    # The mean of 800 random scores or more, whose standard deviation is below 0.35 of their mean, on both sides.
    error = 0.35 * np.sqrt(2 / (PERMUTATIONS * 0.4))
    ratio = own["prerank_normalized_score"].values / other["NES"].astype(float)
    assert (np.abs(ratio - 1) < 4 * error).all()


def test_prerank_enrichment__has_the_false_discovery_rates_of_gseapy_within_their_error(compared):
    own, other = compared
    rate = other["FDR q-val"].astype(float).to_numpy()
    difference = np.abs(own["prerank_fdr_q_value"].values - rate)
    # Sets are few, so a set that passes another one moves the share of sets by 1 of 16: a fifth of a rate, where both are near.
    assert (difference < 0.05 + 0.25 * rate).all()
    assert (own["prerank_fdr_q_value"].values[-2:] < 1e-3).all()


def test_prerank_enrichment__has_small_p_values_like_fgsea():
    # gseapy carries over fgsea's multilevel splitting; both state a standard error of log2 P.
    table = random_table()
    order = np.array(names_of(1500))[np.argsort(-table["t"].values)]
    draws = np.random.default_rng(6)
    sets = GeneSets.from_mapping(
        {
            f"within {within}": draws.choice(order[:within], size, replace=False).tolist()
            for within, size in ((500, 20), (600, 30), (700, 60), (900, 15), (650, 25))
        }
    )
    own = found(table, sets, permutations=PERMUTATIONS)
    other = gseapy_of(table, sets, method="multilevel")
    split = own["prerank_p_method"].values == 1
    assert split.sum() >= 3
    theirs = np.log2(other["NOM p-val"].astype(float).to_numpy())
    apart = np.abs(np.log2(own["prerank_p_value"].values) - theirs)
    error = np.hypot(own["prerank_p_error"].values, other["log2err"].astype(float).to_numpy())
    assert (apart[split] < 4 * error[split]).all()


def test_prerank_enrichment__gives_even_p_values_where_nothing_happens():
    table = random_table(seed=11)
    result = found(table, random_sets(sets=300, seed=12), permutations=1000).isel(gene_set=slice(0, 300))
    p_value = np.sort(result["prerank_p_value"].values)
    # Kolmogorov's bound of 0.1 % for 300 sets.
    assert np.abs(p_value - (np.arange(300) + 0.5) / 300).max() < 1.95 / np.sqrt(300)


def test_prerank_enrichment__turns_around_with_the_ranking():
    table, sets = random_table(400), random_sets(400, 5, largest=60)
    up, down = found(table, sets), found(table.assign(t=-table["t"]), sets)
    np.testing.assert_allclose(up["prerank_score"].values, -down["prerank_score"].values, atol=1e-12)
    assert leading_edge(up, gene_set="top") == leading_edge(down, gene_set="top")


def test_prerank_enrichment__of_a_set_does_not_depend_on_other_sets():
    table, sets = random_table(400), random_sets(400, 8, largest=60)
    among, alone = found(table, sets), found(table, GeneSets((sets["top"],)))
    for name in ("score", "normalized_score", "p_value", "p_error"):
        assert float(among[f"prerank_{name}"].sel(gene_set="top")) == float(alone[f"prerank_{name}"][0])


def test_prerank_enrichment__does_not_depend_on_the_order_of_the_genes():
    table, sets = random_table(400), random_sets(400, 5, largest=60)
    shuffled = table.isel(gene=np.random.default_rng(0).permutation(400))
    first, second = found(table, sets), found(shuffled, sets)
    for name in ("score", "normalized_score", "p_value", "fdr_q_value", "q_value"):
        assert (first[f"prerank_{name}"].values == second[f"prerank_{name}"].values).all()
    assert leading_edge(first, gene_set="end") == leading_edge(second, gene_set="end")


def test_prerank_enrichment__takes_a_labeled_array():
    table, sets = random_table(400), random_sets(400, 3, largest=60)
    assert found(table["t"], sets).identical(found(table, sets))


def test_prerank_enrichment__keeps_the_number_of_patients():
    table, sets = random_table(400), random_sets(400, 3, largest=60)
    assert "prerank_patients" not in found(table, sets)
    assert int(found(table.assign(t_patients=((), 12)), sets)["prerank_patients"]) == 12


def test_prerank_enrichment__says_why_a_set_is_not_tested():
    table = table_of(np.linspace(-1, 1, 12))
    names = names_of(12)
    sets = GeneSets.from_mapping(
        {"ok": names[2:8], "few": [*names[:4], "X", "Y"], "none": ["X"], "many": names[:11], "every": names}
    )
    result = found(table, sets, maximum_size=10)
    assert result["prerank_status"].values.tolist() == [0, 1, 1, 2, 2]
    assert found(table, sets)["prerank_status"].values.tolist() == [0, 1, 1, 0, 3]
    left_out = result.isel(gene_set=slice(1, None))
    for name in ("score", "normalized_score", "p_value", "p_error", "q_value", "fdr_q_value"):
        assert np.isnan(left_out[f"prerank_{name}"]).all(), name
    assert left_out["prerank_leading_genes"].values.tolist() == [0, 0, 0, 0]
    assert left_out["prerank_p_method"].values.tolist() == [2, 2, 2, 2]
    assert leading_edge(result, gene_set="many") == []
    assert float(result["prerank_q_value"][0]) == float(result["prerank_p_value"][0])


def test_prerank_enrichment__ranks_only_genes_with_a_value():
    table = random_table(400)
    holes = table.assign(t=table["t"].where(np.arange(400) % 4 > 0))
    sets = random_sets(400, 3, largest=60)
    result, kept = found(holes, sets), found(holes.isel(gene=np.arange(400) % 4 > 0), sets)
    for name in ("score", "p_value", "normalized_score", "genes"):
        assert (result[f"prerank_{name}"].values == kept[f"prerank_{name}"].values).all()
    assert int(result["prerank_ranked_genes"]) == 300
    assert (result["prerank_place"].values[::4] == 0).all()


def test_prerank_enrichment__works_with_one_permutation():
    result = found(random_table(400), random_sets(400, 5, largest=60), permutations=1)
    p_value = result["prerank_p_value"].values
    assert ((p_value > 0) & (p_value <= 1)).all()


def test_prerank_enrichment__tests_sets_of_one_gene():
    table = table_of([5.0, 4.0, 1.0, -1.0, -6.0])
    result = found(table, GeneSets.from_mapping({"first": ["G0000"], "middle": ["G0002"]}), minimum_size=1)
    assert result["prerank_score"].values.tolist() == [1.0, 0.0]
    assert result["prerank_p_value"].values[1] == 1.0
    assert leading_edge(result, gene_set="middle") == []


def test_prerank_enrichment__warns_of_ties_and_orders_them_by_name():
    values = np.round(np.random.default_rng(1).normal(size=300), 1)
    sets = random_sets(300, 3, largest=60)
    with pytest.warns(TiedRanksWarning, match="share their 't' with others"):
        result = found(table_of(values), sets)
    names = np.array(names_of(300))[np.argsort(result["prerank_place"].values)]
    assert names.tolist() == [name for _, name in sorted(zip(-values, names_of(300), strict=True))]
    assert float(result["prerank_tied_share"]) > 0.5


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"statistic": "z"}, MissingVariableError, "needs the variable 'z' over .gene."),
        ({"permutations": 0}, ParameterError, "'permutations' parameter of prerank_enrichment must be at least 1"),
        ({"weight": -1.0}, ParameterError, "'weight' parameter"),
        ({"weight": 11.0}, ParameterError, "at most 10"),
        ({"minimum_size": 50, "maximum_size": 5}, ParameterError, "at most maximum_size"),
        ({"minimum_size": 300}, GeneMismatchError, "must have 300 to 10000 genes at hand"),
    ],
)
def test_prerank_enrichment__refuses_impossible_parameters(options, error, message):
    with pytest.raises(error, match=message):
        found(random_table(400), random_sets(400, 3, largest=60), **options)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones(20), "with 1 different values"),
        (np.r_[np.inf, np.arange(19)], "must be finite"),
        (np.full(20, np.nan), "0 of 20 genes"),
    ],
)
def test_prerank_enrichment__refuses_rankings_without_an_order(values, message):
    with pytest.raises(InputError, match=message):
        found(table_of(values), GeneSets.from_mapping({"set": names_of(6)}))


def test_prerank_enrichment__refuses_sets_with_direction_and_genes_twice():
    directed = GeneSets((GeneSet("both", ("G0001",), ("G0002",)),))
    with pytest.raises(InputError, match="make one set of the genes going up"):
        found(random_table(20), directed)
    twice = xr.concat([random_table(20), random_table(20)], "gene")
    with pytest.raises(InputError, match="must have unique names"):
        found(twice, GeneSets.from_mapping({"set": names_of(6)}))


def test_prerank_enrichment__refuses_other_names():
    with pytest.raises(GeneMismatchError, match=r"Found: set 0 of 5. Check that both use symbols"):
        found(random_table(20), GeneSets.from_mapping({"set": [f"ENSG{number}" for number in range(5)]}))
