"""Members of sets among genes, and which sets can be tested."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.enrichment.set_members import (
    check_sizes,
    find_members,
    recorded_sets,
    size_status,
)
from chemores_dask.errors import GeneMismatchError, InputError, ParameterError
from chemores_dask.gene_sets import GeneSet, GeneSets

NAMES = np.array(["A", "B", "C", "D", "E"])
SETS = GeneSets.from_mapping({"first": ["C", "A", "Z"], "absent": ["Y"], "all": list("ABCDE")})


def members(sets=SETS, usable=None):
    return find_members(sets, NAMES, usable=np.ones(5, dtype=bool) if usable is None else usable, caller="a test")


def status(minimum_size, maximum_size, genes=5):
    return size_status(
        members(), SETS, genes=genes, minimum_size=minimum_size, maximum_size=maximum_size, caller="a test"
    )


def test_find_members__counts_what_is_at_hand_and_what_is_listed():
    found = members()
    assert found.genes.tolist() == [2, 0, 0, 1, 2, 3, 4]
    assert found.offsets.tolist() == [0, 2, 2, 7]
    assert found.sizes.tolist() == [2, 0, 5]
    assert found.listed.tolist() == [3, 1, 5]
    assert found.owners.tolist() == [0, 0, 2, 2, 2, 2, 2]


def test_find_members__leaves_out_genes_that_are_not_usable():
    found = members(usable=NAMES != "A")
    assert found.genes.tolist() == [2, 1, 2, 3, 4]


@pytest.mark.parametrize("sets", [GeneSets(()), GeneSets((GeneSet("both", ("A",), ("B",)),))])
def test_find_members__needs_sets_without_direction(sets):
    with pytest.raises(InputError, match="tests sets without direction, and at least one"):
        members(sets)


def test_size_status__says_why_a_set_is_left_out():
    assert status(2, 9).tolist() == [0, 1, 3]
    assert status(1, 4).tolist() == [0, 1, 2]
    assert status(2, 9, genes=None).tolist() == [0, 1, 0]


def test_size_status__refuses_when_no_set_is_left():
    with pytest.raises(GeneMismatchError, match=r"Found: first 2 of 3, absent 0 of 1, all 5 of 5. Check that both use"):
        status(3, 4)


def test_check_sizes__holds_the_limits_against_each_other():
    check_sizes(1, 1, caller="a test")
    with pytest.raises(ParameterError, match=r"must be at most maximum_size. Got 5 and 4; swap"):
        check_sizes(5, 4, caller="a test")
    with pytest.raises(ParameterError, match="'minimum_size' parameter of a test must be at least 1"):
        check_sizes(0, 4, caller="a test")
    with pytest.raises(ParameterError, match="'maximum_size' parameter of a test must be a whole number"):
        check_sizes(1, 4.5, caller="a test")


def test_recorded_sets__tell_sets_apart():
    other = GeneSets.from_mapping({"first": ["C", "A"]})
    assert recorded_sets(SETS)["sets"] == 3
    assert recorded_sets(SETS) == recorded_sets(GeneSets(tuple(SETS)))
    assert recorded_sets(SETS)["fingerprint"] != recorded_sets(other)["fingerprint"]
