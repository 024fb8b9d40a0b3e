"""Over-representation against scipy and gseapy, and what it refuses."""

from __future__ import annotations

import gseapy
import numpy as np
import pytest
from scipy.stats import false_discovery_control, fisher_exact, hypergeom

from chemores_dask.cohort.enrichment.gene_selection import gene_selection
from chemores_dask.cohort.enrichment.over_representation import over_representation
from chemores_dask.errors import GeneMismatchError, InputError, MissingVariableError
from chemores_dask.gene_sets import GeneSets
from tests.cohort.enrichment.gene_tables import names_of, random_sets, random_table, table_of

GENES = 400


@pytest.fixture(scope="module")
def sets():
    return random_sets(GENES, 12, largest=60)


@pytest.fixture(scope="module")
def table():
    made = random_table(GENES)
    return made.assign(up=made["t"] > 1.0, tested=("gene", np.arange(GENES) % 5 > 0))


def test_over_representation__equals_scipy(table, sets):
    result = over_representation(table, sets, chosen="up")
    up = set(table["gene"].values[table["up"].values])
    for number, gene_set in enumerate(sets):
        own = set(gene_set.up)
        inside = len(own & up)
        outside = len(own) - inside
        cells = [[inside, outside], [len(up) - inside, GENES - len(own) - len(up) + inside]]
        p_value = float(result["ora_p_value"][number])
        assert p_value == pytest.approx(hypergeom.sf(inside - 1, GENES, len(own), len(up)), rel=1e-12)
        assert p_value == pytest.approx(fisher_exact(cells, alternative="greater").pvalue, rel=1e-9)
        halved = np.array(cells) + 0.5
        ratio = halved[0, 0] * halved[1, 1] / (halved[0, 1] * halved[1, 0])
        assert float(result["ora_odds_ratio"][number]) == pytest.approx(ratio, rel=1e-12)
        assert int(result["ora_overlap_genes"][number]) == inside
        assert float(result["ora_expected_genes"][number]) == pytest.approx(len(own) * len(up) / GENES)
    np.testing.assert_allclose(result["ora_q_value"].values, false_discovery_control(result["ora_p_value"].values))
    assert float(result["ora_p_value"].sel(gene_set="top")) < 1e-4


def test_over_representation__equals_gseapy_against_the_tested_genes(table, sets):
    inside = table.assign(up=table["up"] & table["tested"])
    result = over_representation(inside, sets, chosen="up", background="tested")
    names = table["gene"].values
    other = gseapy.enrich(
        gene_list=names[inside["up"].values].tolist(),
        gene_sets={gene_set.name: list(gene_set.up) for gene_set in sets},
        background=names[table["tested"].values].tolist(),
        outdir=None,
        no_plot=True,
    ).res2d.set_index("Term")
    own = result.sel(gene_set=list(other.index))
    np.testing.assert_allclose(own["ora_p_value"].values, other["P-value"].astype(float), rtol=1e-10)
    np.testing.assert_allclose(own["ora_odds_ratio"].values, other["Odds Ratio"].astype(float), rtol=1e-10)
    overlap = [f"{x}/{m}" for x, m in zip(own["ora_overlap_genes"].values, own["ora_genes"].values, strict=True)]
    assert overlap == other["Overlap"].tolist()


def test_over_representation__of_a_selection_has_the_tested_genes_as_background(table, sets):
    q_value = np.where(table["tested"], np.where(table["up"], 0.01, 0.5), np.nan)
    chosen = gene_selection(table.assign(q=("gene", q_value)), effect="t", q_value="q")
    found = over_representation(chosen, sets, chosen="selection_up")
    stated = over_representation(chosen, sets, chosen="selection_up", background="selection_tested")
    assert int(found["ora_tested_genes"]) == int(table["tested"].sum()) < GENES
    np.testing.assert_array_equal(found["ora_p_value"].values, stated["ora_p_value"].values)


def test_over_representation__keeps_the_members_and_which_were_chosen(table, sets):
    result = over_representation(table, sets, chosen="up")
    start, stop = result["ora_offset"].values[:2]
    members = result["gene"].values[result["ora_member"].values[start:stop]]
    assert sorted(members) == sorted(sets["random 0"].up)
    chosen = result["ora_member_chosen"].values[start:stop]
    assert chosen.tolist() == [bool(table["up"].sel(gene=name)) for name in members]


def test_over_representation__states_the_smallest_p_of_a_set():
    names = names_of(20)
    table = table_of(np.zeros(20), up=np.arange(20) < 3, t_patients=9)
    sets = GeneSets.from_mapping({"all": names[:5], "none": names[10:15]})
    result = over_representation(table, sets, chosen="up")
    # At the most all 3 chosen genes are among the 5 of the set: 10 of 1140 ways.
    np.testing.assert_allclose(result["ora_minimum_p_value"].values, 10 / 1140)
    np.testing.assert_allclose(result["ora_p_value"].values, [10 / 1140, 1.0])
    assert int(result["ora_patients"]) == 9


def test_over_representation__gives_uniform_or_larger_p_values_where_nothing_happens():
    draws = np.random.default_rng(4)
    p_values = []
    for _ in range(60):
        table = table_of(np.zeros(GENES), up=draws.random(GENES) < 0.2)
        p_values += over_representation(table, random_sets(GENES, 20, seed=1, largest=60), chosen="up")[
            "ora_p_value"
        ].values.tolist()
    share = (np.array(p_values) <= 0.05).mean()
    assert share < 0.05 + 4 * np.sqrt(0.05 * 0.95 / len(p_values))


def test_over_representation__leaves_out_sets_without_tested_genes(table):
    sets = GeneSets.from_mapping({"unknown": ["X", "Y"], "known": names_of(8)})
    result = over_representation(table, sets, chosen="up")
    assert result["ora_status"].values.tolist() == [1, 0]
    assert np.isnan(result["ora_p_value"].values[0])
    assert np.isnan(result["ora_odds_ratio"].values[0])
    assert result["ora_listed_genes"].values.tolist() == [2, 8]


def test_over_representation__refuses_what_cannot_be_tested(table, sets):
    with pytest.raises(InputError, match="'none' is true for none of 400"):
        over_representation(table.assign(none=table["up"] & False), sets, chosen="none")
    with pytest.raises(InputError, match=r"Chosen genes must be tested genes. .* genes with 'up' lack 'tested'"):
        over_representation(table, sets, chosen="up", background="tested")
    with pytest.raises(InputError, match="needs truths over genes"):
        over_representation(table, sets, chosen="t")
    with pytest.raises(MissingVariableError, match="'down' over"):
        over_representation(table, sets, chosen="down")
    with pytest.raises(GeneMismatchError, match="At least one set"):
        over_representation(table, GeneSets.from_mapping({"x": ["X"]}), chosen="up")
