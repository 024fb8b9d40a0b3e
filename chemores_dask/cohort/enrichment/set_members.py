"""Which of the genes at hand belong to which set."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_whole, listed
from chemores_dask.errors import GeneMismatchError, InputError, ParameterError
from chemores_dask.gene_sets import GeneSets

OK, TOO_FEW, TOO_MANY, EVERY = range(4)
SIZE_FLAGS = ("ok", "too_few_genes", "too_many_genes", "every_gene")


@dataclass(frozen=True)
class SetMembers:
    """Members of some sets among the genes at hand.

    Attributes
    ----------
    genes
        Numbers of the members, set after set.
    offsets
        Where each set starts, and the end of the last.
    listed
        Genes that each set lists, at hand or not.
    """

    genes: Vector
    offsets: Vector
    listed: Vector

    @property
    def sizes(self) -> Vector:
        """Members of each set that are at hand."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> Vector:
        """The set of each member."""
        return np.repeat(np.arange(self.sizes.size), self.sizes)


def find_members(gene_sets: GeneSets, names: Vector, *, usable: Vector, caller: str) -> SetMembers:
    """Find the members of sets among genes.

    Parameters
    ----------
    gene_sets
        Sets without direction.
    names
        Genes, unique.
    usable
        Which of them count.
    caller
        Who asks, for messages.

    Returns
    -------
    The members, in the order in which each set lists them.

    Raises
    ------
    InputError
        If there is no set, or one has genes of both directions.
    """
    directed = [gene_set.name for gene_set in gene_sets if gene_set.down]
    if directed or not len(gene_sets):
        message = (
            f"{caller} tests sets without direction, and at least one. {len(gene_sets)} sets were given, with genes going down: "
            f"{listed(directed)}; make one set of the genes going up and one of those going down."
        )
        raise InputError(message)
    position = {str(name): number for number, name in enumerate(names) if usable[number]}
    found = [[position[gene] for gene in gene_set.up if gene in position] for gene_set in gene_sets]
    sizes = np.array([len(members) for members in found], dtype=np.int64)
    return SetMembers(
        np.array([number for members in found for number in members], dtype=np.int64),
        np.concatenate([[0], np.cumsum(sizes)]),
        np.array([len(gene_set.up) for gene_set in gene_sets], dtype=np.int64),
    )


def check_sizes(minimum_size: int, maximum_size: int, *, caller: str) -> None:
    """Refuse limits on the size of sets that no set can keep.

    Raises
    ------
    ParameterError
        Naming the limits.
    """
    check_whole(minimum_size, parameter="minimum_size", caller=caller, minimum=1)
    check_whole(maximum_size, parameter="maximum_size", caller=caller, minimum=1)
    if minimum_size > maximum_size:
        message = (
            f"minimum_size of {caller} must be at most maximum_size. Got {minimum_size} and {maximum_size}; swap them."
        )
        raise ParameterError(message)


def size_status(
    members: SetMembers, gene_sets: GeneSets, *, genes: int | None, minimum_size: int, maximum_size: int, caller: str
) -> Vector:
    """Which sets can be tested.

    Parameters
    ----------
    members
        Of the sets.
    gene_sets
        The sets, for messages.
    genes
        Number of genes at hand, where a set with all of them cannot be tested; None where it can.
    minimum_size, maximum_size
        Fewest and most members at hand.
    caller
        Who asks, for messages.

    Returns
    -------
    Status of each set, see :data:`SIZE_FLAGS`.

    Raises
    ------
    GeneMismatchError
        If no set can be tested.
    """
    sizes = members.sizes
    status = np.select([sizes < minimum_size, sizes > maximum_size, sizes == genes], [TOO_FEW, TOO_MANY, EVERY], OK)
    if (status != OK).all():
        examples = [
            f"{name} {size} of {asked}"
            for name, size, asked in zip(gene_sets.names, sizes, members.listed, strict=True)
        ]
        message = (
            f"At least one set of {caller} must have {minimum_size} to {maximum_size} genes at hand, and not all genes at hand. "
            f"Found: {listed(examples)}. Check that both use symbols (or both Ensembl identifiers), or change the limits."
        )
        raise GeneMismatchError(message)
    return status.astype(np.int64)


def recorded_sets(gene_sets: GeneSets) -> dict[str, object]:
    """What the attributes of a result say about its sets: thousands of them would not fit."""
    listed_sets = "\n".join("\t".join((gene_set.name, *gene_set.up)) for gene_set in gene_sets)
    return {"sets": len(gene_sets), "fingerprint": hashlib.sha256(listed_sets.encode()).hexdigest()[:12]}
