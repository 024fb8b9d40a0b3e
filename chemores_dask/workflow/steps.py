"""What a pipeline is made of: views of the cells, steps, and sections of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chemores_dask.gene_sets import GeneSets
from chemores_dask.workflow.record import Section

CELLS = "cells"
PATIENTS = "patients/"


@dataclass(frozen=True)
class Reference:
    """A variable of the result of a step, a column of the table of cells, or a whole result.

    Attributes
    ----------
    step
        Name of the step; ``"cells"`` or the name of a view for a column.
    variable
        Name of the variable or column; empty for the whole result.
    """

    step: str
    variable: str = ""

    def __str__(self) -> str:
        return f"{self.step}.{self.variable}" if self.variable else self.step


@dataclass(frozen=True)
class Join:
    """A variable of a result, or a column of the cells, that is put beside the input of a step.

    Attributes
    ----------
    reference
        Where the values come from.
    name
        Column (of cells) or variable (of patients, or of a result) that they become.
    select
        Label picked along each further dimension.
    standardize
        True to bring the values to mean 0 and standard deviation 1 (n - 1) over the rows they are joined to, so that a
        coefficient is one per standard deviation.
    """

    reference: Reference
    name: str
    select: Mapping[str, str] = field(default_factory=dict)
    standardize: bool = False


@dataclass(frozen=True)
class View:
    """Cells derived lazily from the stored cells or from another view.

    Attributes
    ----------
    name
        Unique among views and steps.
    of
        ``"cells"`` or a view.
    keep
        Boolean result over the cells of ``of``; only its true cells stay.
    normalize
        Target sum of log-normalization; None leaves counts.
    where
        Values that stay, by column; only cells with one of them in every column do.
    by_gene
        Whether the same cells are read gene by gene, from the copy of the counts by gene.
    """

    name: str
    of: str
    keep: Reference | None = None
    normalize: float | None = None
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    by_gene: bool = False


@dataclass(frozen=True)
class Step:
    """One line of a pipeline: an analysis, its input and its parameters.

    Attributes
    ----------
    name
        Unique among views and steps; results lie under it.
    analysis
        Name in the catalogue.
    of
        ``"cells"``, a view, ``"patients/<cohort>"``, or a step whose result is taken.
    join
        Variables put beside the input.
    parameters
        Plain values; :class:`Reference` where a value, or a whole result, comes from another step.
    """

    name: str
    analysis: str
    of: str
    join: tuple[Join, ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class NotedFamily:
    """Steps whose tests are corrected together.

    Attributes
    ----------
    name
        Of the family.
    steps
        Names of the steps.
    correction
        How, as in :class:`~chemores_dask.auditor.study_design.PlannedFamily`.
    """

    name: str
    steps: tuple[str, ...]
    correction: str


@dataclass(frozen=True)
class NotedSignature:
    """Where a gene set comes from.

    Attributes
    ----------
    name
        Of the gene set.
    patients
        In whom it was found.
    labels
        What told the compared groups apart.
    """

    name: str
    patients: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotedOutcome:
    """When the time of a step begins.

    Attributes
    ----------
    step
        Name of the step.
    origin
        When time begins.
    score_known
        When what is tested was known.
    """

    step: str
    origin: str
    score_known: str


@dataclass(frozen=True)
class DesignNotes:
    """What the steps do not say about the design of a study; for its audit only, no result depends on it.

    Attributes
    ----------
    batches
        Columns of the samples that are batches; the usual names unless given.
    families, signatures, outcomes
        Families of tests, origins of gene sets, and origins of time.
    """

    batches: tuple[str, ...] = ()
    families: tuple[NotedFamily, ...] = ()
    signatures: tuple[NotedSignature, ...] = ()
    outcomes: tuple[NotedOutcome, ...] = ()


@dataclass(frozen=True)
class Pipeline:
    """A study as data.

    Attributes
    ----------
    name, title, description
        How it introduces itself.
    seed
        Seed of every step that draws random numbers and does not name its own.
    gene_sets
        Gene sets that steps call by name.
    views, steps, sections
        In the order of the file.
    design
        What the steps do not say about the design.
    """

    name: str
    title: str
    description: str
    seed: int
    gene_sets: GeneSets
    views: tuple[View, ...]
    steps: tuple[Step, ...]
    sections: tuple[Section, ...] = ()
    design: DesignNotes = field(default_factory=DesignNotes)


def references_of(step: Step) -> tuple[Reference, ...]:
    """The variables of other steps, and the columns of cells, that a step reads besides its input."""
    joined = [join.reference for join in step.join]
    given = [value for value in step.parameters.values() if isinstance(value, Reference)]
    return (*joined, *given)
