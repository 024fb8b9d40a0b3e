"""Sets of genes: signatures that go into a score or come out of an analysis."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from chemores_dask.checks import listed
from chemores_dask.errors import GeneMismatchError, InputError, MissingGenesWarning


@dataclass(frozen=True)
class GeneSet:
    """A named set of genes.

    Attributes
    ----------
    name
        Unique within :class:`GeneSets`.
    up
        Genes whose expression raises the score, in the order given, without repeats.
    down
        Genes whose expression lowers it.
    weights
        Signed weight per gene; empty where every gene counts the same.
    source
        Where the set comes from.
    """

    name: str
    up: tuple[str, ...]
    down: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        for side in ("up", "down"):
            object.__setattr__(self, side, tuple(dict.fromkeys(getattr(self, side))))
        both = sorted(set(self.up) & set(self.down))
        if both:
            message = f"A gene is either up or down in a gene set. In {self.name!r} both: {listed(both)}; remove one."
            raise InputError(message)
        if not self.up and not self.down:
            message = f"A gene set must have genes. {self.name!r} has none; remove the set or add genes."
            raise InputError(message)

    @classmethod
    def from_weights(cls, name: str, weights: Mapping[str, float], *, source: str = "") -> GeneSet:
        """Make a set of genes with signed weights.

        Parameters
        ----------
        name
            Of the set.
        weights
            Number for each gene; genes with a weight below 0 go down, all others up.
        source
            Where the weights come from.
        """
        down = tuple(gene for gene, weight in weights.items() if weight < 0)
        up = tuple(gene for gene, weight in weights.items() if not weight < 0)
        return cls(name, up, down, dict(weights), source)

    @property
    def genes(self) -> tuple[str, ...]:
        """All genes, those going up first."""
        return self.up + self.down


@dataclass(frozen=True)
class GeneSets:
    """Some gene sets with unique names, in order."""

    sets: tuple[GeneSet, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "sets", tuple(self.sets))
        names = [gene_set.name for gene_set in self.sets]
        twice = sorted(name for name, times in Counter(names).items() if times > 1)
        if twice:
            message = f"Names of gene sets must be unique. Found more than once: {listed(twice)}; rename them."
            raise InputError(message)

    @classmethod
    def from_mapping(cls, genes_by_name: Mapping[str, Iterable[str]], *, source: str = "") -> GeneSets:
        """Make gene sets from lists of genes by name."""
        return cls(tuple(GeneSet(name, tuple(genes), source=source) for name, genes in genes_by_name.items()))

    def __iter__(self) -> Iterator[GeneSet]:
        return iter(self.sets)

    def __len__(self) -> int:
        return len(self.sets)

    def __getitem__(self, name: str) -> GeneSet:
        for gene_set in self.sets:
            if gene_set.name == name:
                return gene_set
        message = f"There is no gene set {name!r}. Present: {listed(self.names)}."
        raise InputError(message)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(gene_set.name for gene_set in self.sets)


def measured(gene_set: GeneSet, genes: Iterable[str], *, minimum_share: float = 0.5) -> GeneSet:
    """Restrict a gene set to genes that were measured.

    Parameters
    ----------
    gene_set
        The set.
    genes
        Names of measured genes.
    minimum_share
        Share of the set that must have been measured, between 0 and 1.

    Returns
    -------
    The set without its missing genes.

    Raises
    ------
    GeneMismatchError
        If less than ``minimum_share`` of the set, or no gene at all, was measured.

    Warns
    -----
    MissingGenesWarning
        If some genes are missing, but few enough.
    """
    known = genes if isinstance(genes, (set, frozenset, dict)) else set(genes)
    missing = [gene for gene in gene_set.genes if gene not in known]
    if not missing:
        return gene_set
    size = len(gene_set.genes)
    found = size - len(missing)
    if found == 0 or found < minimum_share * size:
        message = (
            f"At least {minimum_share:.0%} of the genes of {gene_set.name!r} must be in the data. Found {found} of {size}; "
            f"missing: {listed(missing)}. Check that both use symbols (or both Ensembl identifiers), or lower minimum_share."
        )
        raise GeneMismatchError(message)
    message = (
        f"{len(missing)} of {size} genes of {gene_set.name!r} are not in the data and are left out: {listed(missing)}."
    )
    warnings.warn(message, MissingGenesWarning, stacklevel=2)
    return GeneSet(
        gene_set.name,
        tuple(gene for gene in gene_set.up if gene in known),
        tuple(gene for gene in gene_set.down if gene in known),
        {gene: weight for gene, weight in gene_set.weights.items() if gene in known},
        gene_set.source,
    )
