"""The tests of one table of counts, and their declaration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_between, check_one_of, listed
from chemores_dask.cohort.design_formula import design_of
from chemores_dask.cohort.differential.count_tables import CountTable, enough_counts, normalization_factors
from chemores_dask.cohort.differential.gene_scan import (
    ALL_ZERO,
    FILTERED,
    OK,
    STATE_NOT_FITTED,
    STATUS_FLAGS,
    GeneTests,
)
from chemores_dask.cohort.differential.model_design import Contrast, ModelDesign, model_design
from chemores_dask.cohort.differential.quasi_likelihood import quasi_tests
from chemores_dask.cohort.differential.voom import patient_directions, voom_tests
from chemores_dask.errors import InputError, MissingVariableError
from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from chemores_dask.results_spec import Variable

METHODS = {
    "negative_binomial": "quasi-likelihood F test of a negative binomial model",
    "voom": "moderated t test of log counts with precision weights (voom)",
}

_GENE, _SAMPLE = ("gene",), ("sample",)
VARIABLES = (
    Variable("log_fold_change", _GENE, "f", unit="log2", doc="of the contrast"),
    Variable("log_fold_change_lower", _GENE, "f", unit="log2", doc="lower 95 % limit"),
    Variable("log_fold_change_upper", _GENE, "f", unit="log2", doc="upper 95 % limit"),
    Variable("statistic", _GENE, "f", doc="moderated t, or the root of F with the sign of the effect"),
    Variable("degrees_of_freedom", _GENE, "f", doc="of the statistic, prior ones included"),
    Variable("p_value", _GENE, "f", doc="moderated t test (voom) or quasi-likelihood F test over samples, two-sided"),
    Variable("q_value", _GENE, "f", doc="Benjamini-Hochberg over the genes tested"),
    Variable("status", _GENE, "i", flags=STATUS_FLAGS),
    Variable("mean", _GENE, "f", unit="log2 counts per million", doc="average over samples"),
    Variable("dispersion", _GENE, "f", doc="of the negative binomial, by the trend; not a number for voom"),
    Variable("variance", _GENE, "f", doc="moderated: quasi-dispersion, or residual variance of voom"),
    Variable(
        "patients_same_direction",
        _GENE,
        "i",
        unit="patients",
        doc="of those compared, in whom expression changes as the log fold change says",
    ),
    Variable("patients", (), "i", unit="patients", doc="with a sample in the model"),
    Variable("patients_compared", (), "i", unit="patients", doc="with samples on both sides of the contrast"),
    Variable("samples", (), "i", unit="samples", doc="in the model"),
    Variable("residual_degrees", (), "i", doc="samples less columns of the design"),
    Variable("genes_tested", (), "i", unit="genes"),
    Variable("used", _SAMPLE, "b", doc="enough cells, and at least one count"),
    Variable("normalization_factor", _SAMPLE, "f", doc="trimmed mean of log ratios (TMM)"),
)
"""What a table gives, by the second part of the name."""


@dataclass(frozen=True)
class DifferentialOptions:
    """Which genes are tested, and how.

    Attributes
    ----------
    minimum_count
        A gene needs about this count in a library of median size, in as many samples as the smallest group has.
    minimum_total
        And this total over samples.
    robust
        Draw outlying variances less to the prior (Phipson et al. 2016).
    """

    minimum_count: float = 10.0
    minimum_total: float = 15.0
    robust: bool = False

    def __post_init__(self) -> None:
        for name in ("minimum_count", "minimum_total"):
            check_between(getattr(self, name), parameter=name, caller="DifferentialOptions", minimum=0)


@dataclass(frozen=True)
class Model:
    """What is fitted to a table, checked before anything is read.

    Attributes
    ----------
    formula, contrast, method, options
        As the analyses take them.
    samples
        What is known of the samples, one row each.
    owners
        Patient of each sample.
    caller
        Name of the analysis, for messages.
    """

    formula: str
    contrast: Contrast
    method: str
    options: DifferentialOptions
    samples: pd.DataFrame
    owners: Vector
    caller: str

    @property
    def parameters(self) -> dict[str, object]:
        """For the attributes of the result."""
        if isinstance(self.contrast, Mapping):
            contrast: object = {str(name): float(weight) for name, weight in self.contrast.items()}
        else:
            contrast = self.contrast if isinstance(self.contrast, str) else [float(weight) for weight in self.contrast]
        return {
            "formula": self.formula,
            "contrast": contrast,
            "method": self.method,
            "options": asdict(self.options),
        }


@dataclass(frozen=True)
class TableTests:
    """Tests of a table.

    Attributes
    ----------
    design
        The design that was fitted.
    values
        Arrays by the second part of the names of the variables.
    """

    design: ModelDesign
    values: Mapping[str, Matrix | Vector | int]


def check_method(method: str, *, caller: str) -> None:
    """Refuse a method that is none.

    Raises
    ------
    ParameterError
        Naming those there are.
    """
    check_one_of(method, tuple(METHODS), parameter="method", caller=caller)


def sample_owners(table: pd.DataFrame, patient: str | None, *, caller: str) -> Vector:
    """Patient of each sample.

    Parameters
    ----------
    table
        What is known of the samples.
    patient
        Column with the patients; None if every sample is from another one.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    Names.

    Raises
    ------
    MissingVariableError
        If there is no such column.
    InputError
        If a sample has no patient.
    """
    if patient is None:
        return np.asarray(table.index.to_numpy())
    if patient not in table.columns:
        message = (
            f"{caller} needs the variable {patient!r} over (sample,), which names the patients. Present: {listed(table.columns)}; name "
            "another one, or pass patient=None if every sample is from another patient."
        )
        raise MissingVariableError(message)
    unknown = table[patient].isna().to_numpy() | (table[patient].astype(str) == "").to_numpy()
    if unknown.any():
        message = f"Every sample of {caller} must have a patient. Without {patient!r}: {listed(table.index[unknown])}."
        raise InputError(message)
    return np.asarray(table[patient].astype(str).to_numpy())


def table_tests(table: CountTable, model: Model) -> TableTests:
    """Fit a model to every gene of a table.

    Parameters
    ----------
    table
        Counts of the samples.
    model
        What is fitted.

    Returns
    -------
    Tests of all genes, also of those that are not tested.

    Raises
    ------
    InputError
        If there are too few samples or genes, or the design cannot be fitted.
    """
    used = table.used
    if not used.any():
        message = (
            f"{model.caller} needs samples with enough cells. In {table.place} the largest has {table.cells.max(initial=0)}; "
            "lower minimum_cells."
        )
        raise InputError(message)
    design = model_design(
        design_of(model.samples[used], model.formula, caller=model.caller),
        model.owners[used],
        model.contrast,
        caller=model.caller,
    )
    every = table.counts[used]
    kept = enough_counts(
        every, design.leverage, minimum_count=model.options.minimum_count, minimum_total=model.options.minimum_total
    )
    status = np.where((every > 0).any(axis=0), FILTERED, ALL_ZERO)
    if not kept.any():
        message = (
            f"{model.caller} needs genes with enough counts. None of {kept.size} reaches about {model.options.minimum_count:g} counts in "
            f"enough samples of {table.place}; lower minimum_count, or take more cells."
        )
        raise InputError(message)
    counts = np.ascontiguousarray(every[:, kept])
    totals = counts.sum(axis=1)
    if not (totals > 0).all():
        message = (
            f"Every sample of {model.caller} must have counts in the genes that are tested. In {table.place} these have none: "
            f"{listed(model.samples.index[used][totals == 0])}; raise minimum_cells, or leave them out."
        )
        raise InputError(message)
    factors = normalization_factors(counts)
    library = totals * factors
    test = voom_tests if model.method == "voom" else quasi_tests
    tests = test(counts, library, design, robust=model.options.robust)
    up, down = patient_directions(counts, library, design)
    same = np.where(tests.log_fold_change > 0, up, np.where(tests.log_fold_change < 0, down, 0))
    status[kept] = tests.status
    values = empty_values(kept.size, used)
    values.update(_gene_values(tests, same, kept, values))
    values["status"] = status
    samples = int(used.sum())
    values["patients"], values["patients_compared"] = np.asarray(design.patients), np.asarray(design.compared)
    values["samples"], values["residual_degrees"] = np.asarray(samples), np.asarray(samples - design.rank)
    values["genes_tested"] = np.asarray((status == OK).sum())
    values["normalization_factor"][used] = factors
    return TableTests(design, values)


def empty_values(genes: int, used: Vector) -> dict[str, Matrix]:
    """Values of a table that was not fitted.

    Parameters
    ----------
    genes
        How many.
    used
        Samples with enough cells.

    Returns
    -------
    Arrays by the second part of the names of the variables.
    """
    values: dict[str, Matrix] = {}
    for variable in VARIABLES:
        shape = tuple({"gene": genes, "sample": used.size}[dim] for dim in variable.dims)
        values[variable.name] = np.full(shape, np.nan) if variable.kind == "f" else np.zeros(shape, dtype=np.int64)
    values["status"] = np.full(genes, STATE_NOT_FITTED)
    values["used"] = used
    return values


def repeated_patients(designs: Sequence[ModelDesign], *, patient: str | None, formula: str) -> str:
    """What to warn of where samples of one patient are taken for replicates.

    Parameters
    ----------
    designs
        The designs that were fitted.
    patient
        Variable that names the patients.
    formula
        The formula.

    Returns
    -------
    The warning; empty where every patient has one sample, or a level of its own.
    """
    repeated = [design for design in designs if not design.leveled and design.patient.size > design.patients]
    if patient is None or not repeated:
        return ""
    worst = max(repeated, key=lambda design: design.patient.size - design.patients)
    return (
        f"Samples of one patient are no replicates. {worst.patient.size} samples are from {worst.patients} patients, and {formula!r} has "
        f"no level for each {patient!r}; add it to the formula, or take one sample of each patient."
    )


def _gene_values(tests: GeneTests, same: Vector, kept: Vector, empty: Mapping[str, Matrix]) -> dict[str, Matrix]:
    fine = tests.status == OK
    p_value = np.where(fine, tests.p_value, np.nan)
    found = {
        "log_fold_change": tests.log_fold_change,
        "log_fold_change_lower": tests.log_fold_change - tests.reach,
        "log_fold_change_upper": tests.log_fold_change + tests.reach,
        "statistic": tests.statistic,
        "degrees_of_freedom": tests.degrees,
        "p_value": p_value,
        "q_value": benjamini_hochberg(p_value),
        "dispersion": tests.dispersion,
        "variance": tests.variance,
    }
    values = {}
    for name, numbers in found.items():
        values[name] = empty[name].copy()
        values[name][kept] = np.where(fine, numbers, np.nan)
    values["mean"] = empty["mean"].copy()
    values["mean"][kept] = tests.mean
    values["patients_same_direction"] = empty["patients_same_direction"].copy()
    values["patients_same_direction"][kept] = np.where(fine, same, 0)
    return values
