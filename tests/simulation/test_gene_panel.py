"""The genes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from chemores_dask.errors import ParameterError
from chemores_dask.simulation.gene_panel import (
    GROUPS,
    MITOCHONDRIAL,
    RESISTANCE,
    RIBOSOMAL,
    STEMNESS,
    gene_panel,
    planted_gene_sets,
    special_genes,
)


def test_gene_panel__has_unique_symbols_and_identifiers():
    panel = gene_panel(1000, seed=1)
    assert len(set(panel.symbols)) == len(set(panel.gene_ids)) == 1000
    assert all(re.fullmatch(r"ENSG\d{11}", gene_id) for gene_id in panel.gene_ids)
    assert set(special_genes()) <= set(panel.symbols)


def test_gene_panel__groups_follow_symbols():
    panel = gene_panel(1000, seed=1)
    by_symbol = dict(zip(panel.symbols, panel.groups, strict=True))
    assert {GROUPS[by_symbol[symbol]] for symbol in MITOCHONDRIAL} == {"mitochondrial"}
    assert {GROUPS[by_symbol[symbol]] for symbol in STEMNESS} == {"stemness"}
    assert GROUPS[by_symbol["RPS27"]] == "resistance"
    assert GROUPS[by_symbol["GENE00001"]] == "other"


def test_special_genes__belong_to_one_list_each():
    lists = [MITOCHONDRIAL, RIBOSOMAL, STEMNESS, RESISTANCE]
    assert len({symbol for symbols in lists for symbol in symbols}) == sum(len(symbols) for symbols in lists)


def test_positions__finds_symbols_in_order():
    panel = gene_panel(1000, seed=1)
    assert panel.symbols[panel.positions(RESISTANCE)].tolist() == list(RESISTANCE)


def test_gene_panel__refuses_fewer_genes_than_its_own():
    with pytest.raises(ParameterError, match=r"at least \d+ genes.*Got 100"):
        gene_panel(100, seed=1)
    assert len(gene_panel(len(special_genes()) + 85, seed=1).symbols) == len(special_genes()) + 85


def test_planted_gene_sets__hold_modules_and_decoys_of_other_genes():
    panel = gene_panel(1000, seed=1)
    gene_sets = planted_gene_sets(panel, seed=1)
    assert gene_sets["stemness"].up == STEMNESS
    decoys = [gene for gene_set in gene_sets if gene_set.name.startswith("decoy") for gene in gene_set.genes]
    assert len(decoys) == len(set(decoys)) == 85
    assert all(gene.startswith("GENE") for gene in decoys)
    assert not np.array_equal(planted_gene_sets(panel, seed=2)["decoy_1"].up, gene_sets["decoy_1"].up)
