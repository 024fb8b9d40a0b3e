"""Gene sets: what they refuse, and what is left of them in the data."""

from __future__ import annotations

import dataclasses
import warnings

import pytest

from chemores_dask.errors import GeneMismatchError, InputError, MissingGenesWarning
from chemores_dask.gene_sets import GeneSet, GeneSets, measured

STEMNESS = GeneSet("stemness", ("CD44", "BCL2", "MCL1"), ("MKI67",), {"CD44": 2.0, "MKI67": -1.0}, "a paper")


def test_gene_set__drops_repeats_and_keeps_order():
    gene_set = GeneSet("set", ["B", "A", "B"], ["D", "C", "D"])
    assert (gene_set.up, gene_set.down) == (("B", "A"), ("D", "C"))
    assert gene_set.genes == ("B", "A", "D", "C")


def test_gene_set__is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        STEMNESS.name = "other"


def test_gene_set__refuses_genes_on_both_sides_and_no_genes():
    with pytest.raises(InputError, match="In 'set' both: A, B"):
        GeneSet("set", ("B", "A", "C"), ("A", "B"))
    with pytest.raises(InputError, match="'set' has none"):
        GeneSet("set", ())
    assert GeneSet("set", (), ("A",)).genes == ("A",)


def test_gene_sets__are_found_by_name_in_order():
    gene_sets = GeneSets.from_mapping({"one": ["A"], "two": iter(["B", "C"])}, source="here")
    assert gene_sets.names == ("one", "two")
    assert (len(gene_sets), [gene_set.name for gene_set in gene_sets]) == (2, ["one", "two"])
    assert gene_sets["two"] == GeneSet("two", ("B", "C"), source="here")
    assert len(GeneSets(())) == 0


def test_gene_sets__take_any_sequence():
    assert GeneSets([STEMNESS]).sets == (STEMNESS,)


def test_gene_sets__refuse_unknown_and_repeated_names():
    with pytest.raises(InputError, match=r"no gene set 'x'. Present: stemness"):
        GeneSets((STEMNESS,))["x"]
    with pytest.raises(InputError, match="more than once: stemness"):
        GeneSets((STEMNESS, STEMNESS))


@pytest.mark.parametrize("kind", [list, set, frozenset, dict.fromkeys, iter])
def test_measured__returns_a_complete_set_as_it_is(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert measured(STEMNESS, kind(["CD44", "BCL2", "MCL1", "MKI67", "TP53"])) is STEMNESS


def test_measured__drops_missing_genes_with_a_warning():
    with pytest.warns(
        MissingGenesWarning, match="1 of 4 genes of 'stemness' are not in the data and are left out: CD44"
    ):
        found = measured(STEMNESS, ["MCL1", "BCL2", "MKI67"])
    assert found == GeneSet("stemness", ("BCL2", "MCL1"), ("MKI67",), {"MKI67": -1.0}, "a paper")


def test_measured__allows_exactly_the_minimum_share():
    with pytest.warns(MissingGenesWarning):
        assert len(measured(STEMNESS, ["CD44", "MKI67"], minimum_share=0.5).genes) == 2
    with pytest.raises(GeneMismatchError, match=r"At least 51% .* Found 2 of 4; missing: BCL2, MCL1"):
        measured(STEMNESS, ["CD44", "MKI67"], minimum_share=0.51)


@pytest.mark.parametrize("genes", [[], ["ENSG00000026508"]])
def test_measured__refuses_a_set_without_any_measured_gene(genes):
    with pytest.raises(GeneMismatchError, match="Found 0 of 4"):
        measured(STEMNESS, genes, minimum_share=0.0)


def test_measured__leaves_one_side_when_the_other_is_missing():
    with pytest.warns(MissingGenesWarning):
        found = measured(STEMNESS, ["MKI67"], minimum_share=0.0)
    assert (found.up, found.down) == ((), ("MKI67",))


def test_gene_set__from_weights_takes_the_direction_from_the_sign():
    found = GeneSet.from_weights("risk", {"CD34": 0.5, "SOCS2": -0.25, "LAPTM4B": 0.0}, source="a paper")
    assert (found.up, found.down, found.source) == (("CD34", "LAPTM4B"), ("SOCS2",), "a paper")
    assert found.weights == {"CD34": 0.5, "SOCS2": -0.25, "LAPTM4B": 0.0}
