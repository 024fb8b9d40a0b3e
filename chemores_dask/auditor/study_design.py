"""The design of a study, as far as somebody says it: samples, comparisons, tests, models, signatures and scores."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_between, check_columns, check_one_of, listed
from chemores_dask.errors import InputError, ParameterError

CALLER = "StudyDesign"
UNITS = ("patient", "sample", "cell", "pool", "gene")
PAIRED_KINDS = ("sign_flip", "signed_rank", "paired_t")
KINDS = (*PAIRED_KINDS, "rank_sum", "fisher", "model", "log_rank", "correlation", "other")
CORRECTIONS = ("benjamini_hochberg", "holm", "bonferroni", "hierarchical", "permutation", "none", "")
CUTOFFS = ("", "frozen", "blind", "chosen", "scanned", "scanned_corrected")
BATCHES = ("batch", "plate", "library_batch", "run", "lane", "chemistry", "protocol", "platform", "site", "center")
"""Names of columns that are taken as batches unless the design names others."""


@dataclass(frozen=True)
class SampleColumns:
    """What the columns of the table of samples are called.

    Attributes
    ----------
    sample, patient
        Names of the sample and of its patient.
    cells
        Number of cells of the sample.
    batches
        Technical groups of samples; those that the table does not have are passed over.
    sex
        Declared sex, ``female`` or ``male``.
    female_counts, male_counts
        Counts of XIST and of genes of the Y chromosome in the sample.
    """

    sample: str = "sample"
    patient: str = "patient"
    cells: str = "cells"
    batches: tuple[str, ...] = BATCHES
    sex: str = "sex"
    female_counts: str = "xist_counts"
    male_counts: str = "y_counts"


@dataclass(frozen=True)
class PlannedContrast:
    """Two values of a variable of the samples that are compared.

    Attributes
    ----------
    variable
        Column of the samples.
    first, second
        The two values.
    paired
        Whether both are compared within patients.
    formula
        Design of the model, such as ``"~ patient + stage"``; empty where there is none.
    where
        Columns of the samples, each with the values that take part; all samples unless given.
    """

    variable: str
    first: str
    second: str
    paired: bool = False
    formula: str = ""
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        if self.first == self.second:
            message = f"A contrast must compare two values of {self.variable!r}. Got {self.first!r} twice; name the other one."
            raise InputError(message)

    @property
    def name(self) -> str:
        """The comparison in words."""
        return f"{self.second} against {self.first}"


@dataclass(frozen=True)
class PlannedTest:
    """A test, or the same test many times.

    Attributes
    ----------
    name
        As a reader calls it.
    kind
        ``"sign_flip"``, ``"signed_rank"``, ``"paired_t"``, ``"rank_sum"``, ``"fisher"``, ``"model"`` (a coefficient of a model),
        ``"log_rank"``, ``"correlation"`` or ``"other"``.
    unit
        What it takes as its n: ``"patient"``, ``"sample"``, ``"cell"``, ``"pool"`` (pseudo-bulks drawn again and again) or ``"gene"`` (sets
        of genes against other genes).
    contrast
        What it compares; None where it compares no two values of the samples.
    sizes
        Pairs (one number) or units on either side; counted in the table of samples unless given.
    margins
        Row sums and column sums of the 2 x 2 table of Fisher's test.
    tests
        How many tests it makes, such as one per gene.
    correction
        What the analysis itself does about these many: ``"benjamini_hochberg"``, ``"holm"``, ``"bonferroni"``, ``"hierarchical"``,
        ``"permutation"``, ``"none"``; empty where nothing is said.
    family
        Family to which it belongs; empty where none is declared.
    descriptive
        Whether its P values are labeled as descriptive wherever they are shown.
    """

    name: str
    kind: str = "other"
    unit: str = "patient"
    contrast: PlannedContrast | None = None
    sizes: tuple[int, ...] = ()
    margins: tuple[tuple[int, int], tuple[int, int]] | None = None
    tests: int = 1
    correction: str = ""
    family: str = ""
    descriptive: bool = False

    def __post_init__(self) -> None:
        check_one_of(self.kind, KINDS, parameter="kind", caller="PlannedTest")
        check_one_of(self.unit, UNITS, parameter="unit", caller="PlannedTest")
        check_one_of(self.correction, CORRECTIONS, parameter="correction", caller="PlannedTest")
        check_between(self.tests, parameter="tests", caller="PlannedTest", minimum=1)
        for size in self.sizes:
            check_between(size, parameter="sizes", caller="PlannedTest", minimum=0)
        if self.margins is not None and (
            [len(sums) for sums in self.margins] != [2, 2] or len({sum(sums) for sums in self.margins}) > 1
        ):
            message = f"The margins of PlannedTest must be two sums of rows and two of columns of one table. Got {self.margins}."
            raise ParameterError(message)


@dataclass(frozen=True)
class PlannedFamily:
    """Tests that are corrected together.

    Attributes
    ----------
    name
        Tests name it as their ``family``.
    correction
        As in :class:`PlannedTest`.
    tests
        How many tests it has; the planned tests that name it are counted unless given.
    """

    name: str
    correction: str = ""
    tests: int = 0

    def __post_init__(self) -> None:
        check_one_of(self.correction, CORRECTIONS, parameter="correction", caller="PlannedFamily")


@dataclass(frozen=True)
class PlannedModel:
    """A model of an outcome.

    Attributes
    ----------
    name
        As a reader calls it.
    patients, events
        How many go in; for an outcome of two kinds, ``events`` counts the rarer one.
    terms
        Coefficients, without the intercept.
    origin
        When time begins, such as ``"diagnosis"``; empty where nobody says.
    score_known
        When what is tested became known, such as ``"surgery"``; empty where nobody says.
    delayed_entry
        Whether patients enter when the score is known (left truncation), or time begins there (landmark).
    """

    name: str
    patients: int
    events: int
    terms: int
    origin: str = ""
    score_known: str = ""
    delayed_entry: bool = False

    def __post_init__(self) -> None:
        for name, minimum in (("patients", 0), ("events", 0), ("terms", 1)):
            check_between(getattr(self, name), parameter=name, caller="PlannedModel", minimum=minimum)


@dataclass(frozen=True)
class Material:
    """What something was made from or tested on.

    Attributes
    ----------
    patients, cells
        Their names; empty where they are not known.
    labels
        What told groups apart, such as ``"stage"`` or ``"cluster"``.
    """

    patients: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class SignatureUse:
    """A signature, where it comes from, and on what it is tested.

    Attributes
    ----------
    name
        Of the signature.
    genes
        Its genes.
    measured
        Genes that were measured where it is scored; None where they are not known.
    derivation, test, cutoff
        What the genes were found in, what they are tested on, and what the cut-off was chosen in; None where nobody says.
    cutoff_rule
        ``"frozen"`` (fixed beforehand), ``"blind"`` (by the scores alone, such as a median or a natural break), ``"chosen"`` (with a look
        at what is tested), ``"scanned"`` (the best of many), ``"scanned_corrected"`` (the same, with a P that knows of it); empty where
        there is none.
    minimum_share
        Share of the genes that must have been measured.
    """

    name: str
    genes: tuple[str, ...] = ()
    measured: frozenset[str] | None = None
    derivation: Material | None = None
    test: Material | None = None
    cutoff: Material | None = None
    cutoff_rule: str = ""
    minimum_share: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "genes", tuple(dict.fromkeys(str(gene) for gene in self.genes)))
        if self.measured is not None:
            object.__setattr__(self, "measured", frozenset(str(gene) for gene in self.measured))
        check_one_of(self.cutoff_rule, CUTOFFS, parameter="cutoff_rule", caller="SignatureUse")
        check_between(self.minimum_share, parameter="minimum_share", caller="SignatureUse", minimum=0.0, maximum=1.0)


@dataclass(frozen=True, eq=False)
class ScoredDepth:
    """Scores beside the total counts of the same cells or patients.

    Attributes
    ----------
    name
        Of the score.
    score, total
        One number each per cell or patient.
    patients
        Patient of each cell; None where each row is a patient.
    """

    name: str
    score: Vector
    total: Vector
    patients: Vector | None = None

    def __post_init__(self) -> None:
        _check_lengths(self, ("score", "total", "patients"))


@dataclass(frozen=True, eq=False)
class ScoredOutcome:
    """Scores of patients, and whether their outcome is known.

    Attributes
    ----------
    name
        Of the score and the outcome.
    score
        One number per patient.
    known
        One truth per patient.
    """

    name: str
    score: Vector
    known: Vector

    def __post_init__(self) -> None:
        _check_lengths(self, ("score", "known"))


@dataclass(frozen=True, eq=False)
class StudyDesign:
    """What is known about the design of a study. Only the table of samples is required; what is not said is not checked.

    Attributes
    ----------
    samples
        One row per sample, with its patient, stage, batch, number of cells, and whatever else is known.
    columns
        What these columns are called.
    contrasts
        Comparisons; those of tests need not be given again.
    tests, families
        Planned tests, and the families in which they are corrected.
    models
        Models of outcomes.
    signatures
        Signatures, with where they come from.
    depths, outcomes
        Scores beside total counts, and beside whether the outcome is known.
    level
        Significance level.

    Examples
    --------
    >>> samples = pd.DataFrame({"sample": ["a", "b"], "patient": ["P1", "P1"], "stage": ["diagnosis", "relapse"]})
    >>> StudyDesign(samples, contrasts=(PlannedContrast("stage", "diagnosis", "relapse", paired=True),)).level
    0.05
    """

    samples: pd.DataFrame
    columns: SampleColumns = field(default_factory=SampleColumns)
    contrasts: tuple[PlannedContrast, ...] = ()
    tests: tuple[PlannedTest, ...] = ()
    families: tuple[PlannedFamily, ...] = ()
    models: tuple[PlannedModel, ...] = ()
    signatures: tuple[SignatureUse, ...] = ()
    depths: tuple[ScoredDepth, ...] = ()
    outcomes: tuple[ScoredOutcome, ...] = ()
    level: float = 0.05

    def __post_init__(self) -> None:
        given: object = self.samples
        if not isinstance(given, pd.DataFrame):
            message = f"The samples of {CALLER} must be a table (pandas.DataFrame), one row per sample. Got {type(given).__name__}."
            raise InputError(message)
        check_between(self.level, parameter="level", caller=CALLER, minimum=0.0, maximum=1.0)
        self._check_samples()
        for contrast in self.all_contrasts:
            named = [contrast.variable, *(column for column, _ in contrast.where)]
            check_columns(self.samples, named, what="the table of samples", caller=CALLER)
        self._check_families()

    @property
    def all_contrasts(self) -> tuple[PlannedContrast, ...]:
        """Comparisons of the design and of its tests, each once."""
        of_tests = [test.contrast for test in self.tests if test.contrast is not None]
        return tuple(dict.fromkeys([*self.contrasts, *of_tests]))

    @property
    def batches(self) -> tuple[str, ...]:
        """Columns of the table that are batches."""
        return tuple(name for name in self.columns.batches if name in self.samples.columns)

    @property
    def has_patients(self) -> bool:
        """Whether the table tells the patient of each sample."""
        return self.columns.patient in self.samples.columns

    def _check_samples(self) -> None:
        table, column = self.samples, self.columns.sample
        if table.columns.has_duplicates:
            twice = sorted({str(name) for name in table.columns[table.columns.duplicated()]})
            message = f"Columns of the samples of {CALLER} must have different names. Found more than once: {listed(twice)}; rename them."
            raise InputError(message)
        if column in table.columns and table[column].duplicated().any():
            twice = sorted({str(name) for name in table[column][table[column].duplicated()]})
            message = (
                f"The table of {CALLER} must have one row per sample. Found more than once in {column!r}: {listed(twice)}; "
                "add their cells up, or give them names of their own."
            )
            raise InputError(message)
        if self.has_patients:
            unknown = int((table[self.columns.patient].isna() | (table[self.columns.patient].astype(str) == "")).sum())
            if unknown:
                message = (
                    f"Every sample of {CALLER} must have a patient. {unknown} of {len(table)} have none in "
                    f"{self.columns.patient!r}; fill them in, or leave these samples out."
                )
                raise InputError(message)
        if self.columns.cells in table.columns:
            cells = pd.to_numeric(table[self.columns.cells], errors="coerce").to_numpy(dtype=float)
            if not (np.isfinite(cells) & (cells >= 0)).all():
                message = (
                    f"Numbers of cells in {self.columns.cells!r} of {CALLER} must be known and not negative. "
                    f"Found {listed(table[self.columns.cells])}; count the cells of each sample."
                )
                raise InputError(message)

    def _check_families(self) -> None:
        names = [family.name for family in self.families]
        unknown = sorted({test.family for test in self.tests if test.family} - set(names))
        if unknown or len(set(names)) != len(names):
            message = (
                f"Tests of {CALLER} must name families that are declared once. Named: {listed(unknown) if unknown else 'one twice'}; "
                f"declared: {listed(names)}. Add PlannedFamily(name, correction)."
            )
            raise InputError(message)


def _check_lengths(table: object, names: tuple[str, ...]) -> None:
    lengths = {}
    for name in names:
        values = getattr(table, name)
        if values is not None:
            array = np.asarray(values)
            object.__setattr__(table, name, array)
            lengths[name] = array.shape
    if len(set(lengths.values())) != 1 or len(next(iter(lengths.values()))) != 1:
        message = f"{type(table).__name__} must hold one value each per row. Got shapes {lengths}."
        raise InputError(message)
