"""Differential expression between samples, with the patients as replicates."""

from __future__ import annotations

import warnings
from dataclasses import replace

import xarray as xr

from chemores_dask.checks import listed
from chemores_dask.cohort.design_formula import with_patients_as_labels
from chemores_dask.cohort.differential.count_tables import pseudobulk_table, sample_table
from chemores_dask.cohort.differential.model_design import Contrast
from chemores_dask.cohort.differential.table_tests import (
    METHODS,
    VARIABLES,
    DifferentialOptions,
    Model,
    check_method,
    repeated_patients,
    sample_owners,
    table_tests,
)
from chemores_dask.errors import RepeatedPatientsWarning
from chemores_dask.results_spec import declare, make_result

ALGORITHM_REVISION = 1
CALLER = "differential_expression"
PREFIX = "differential"

RESULT = declare(*(replace(variable, name=f"{PREFIX}_{variable.name}") for variable in VARIABLES))

NO_MINIMUM = "not applicable: the test is parametric"


def differential_expression(
    pseudobulk: xr.Dataset,
    *,
    formula: str = "~ patient + stage",
    contrast: Contrast,
    method: str = "negative_binomial",
    patient: str | None = "patient",
    options: DifferentialOptions = DifferentialOptions(),  # noqa: B008 - frozen
) -> xr.Dataset:
    """Test every gene for a difference between samples, the counts of the cells of each added up.

    ``negative_binomial``: counts have mean ``library * 2^(design b)`` and variance ``s^2 (mean + phi mean^2)``; ``phi`` is a trend over
    the mean by Cox-Reid adjusted likelihoods [1]_, ``s^2`` is drawn to a trend by empirical Bayes, and F = likelihood ratio / s^2 [2]_.
    ``voom``: ``log2((count + 0.5) / (library + 1) * 10^6)`` in a linear model weighted by the precision expected at each mean [3]_, with
    a moderated t. Libraries are totals of the genes tested, times TMM factors; genes are chosen by the rule of edgeR's ``filterByExpr``.

    Parameters
    ----------
    pseudobulk
        Result of ``pseudobulk``, of all states or of some, with what the formula names as variables over ``sample``.
    formula
        Right side of the model, such as ``"~ patient + stage"`` (paired) or ``"~ batch + age + stage"``.
    contrast
        What is tested against zero: the name of a column of the design (``"stage[T.relapse]"``), weights by names, or one weight per
        column.
    method
        ``"negative_binomial"`` or ``"voom"``.
    patient
        Variable over ``sample`` that names the patients; None if every sample is from another patient.
    options
        Limits for genes, and whether outlying variances are kept.

    Returns
    -------
    Dataset over ``gene``: ``differential_log_fold_change`` with 95 % limits (log2), ``differential_statistic``,
    ``differential_degrees_of_freedom``, ``differential_p_value``, ``differential_q_value``, ``differential_status``, ``differential_mean``,
    ``differential_dispersion``, ``differential_variance``, ``differential_patients_same_direction``. Numbers: patients, patients
    compared within themselves, samples, residual degrees of freedom, genes tested. Over ``sample``: which were used, and their factors.
    Attributes name the test and the samples that were dropped. The tests are parametric: no number of patients sets a smallest P.

    Raises
    ------
    MissingVariableError
        If the Dataset lacks a variable, or the formula names one that is not there.
    CountsError
        If the counts are not raw counts.
    InputError
        If there are no residual degrees of freedom, columns follow from each other, or values are missing.
    ParameterError
        If the method or the contrast is none.

    Warns
    -----
    RepeatedPatientsWarning
        If patients have several samples and the formula has no level for each: samples of one patient are no replicates.

    Notes
    -----
    Passes over the counts: 0 (sums are the input). Memory: samples x genes x 24 bytes. A gene never raises; its status is ``all_zero``,
    ``filtered`` (too few counts), ``not_converged`` or ``not_estimable``. Where the formula has a level for each patient, these are
    eliminated from the normal equations, so that the cost grows with the samples and not with the square of the patients. Limits are
    those of a t interval with the moderated variance; of the negative binomial they stand around an effect estimated after a prior count
    of 0.125, and P is that of the F test, so that at the border the two may disagree.

    References
    ----------
    .. [1] McCarthy DJ, Chen Y, Smyth GK (2012). Differential expression analysis of multifactor RNA-Seq experiments with respect to
       biological variation. Nucleic Acids Research 40:4288-4297.
    .. [2] Lund SP, Nettleton D, McCarthy DJ, Smyth GK (2012). Detecting differential expression in RNA-sequence data using
       quasi-likelihood with shrunken dispersion estimates. Statistical Applications in Genetics and Molecular Biology 11:8.
    .. [3] Law CW, Chen Y, Shi W, Smyth GK (2014). voom: precision weights unlock linear model analysis tools for RNA-seq read counts.
       Genome Biology 15:R29.
    """
    check_method(method, caller=CALLER)
    samples = sample_table(pseudobulk, caller=CALLER)
    owners = sample_owners(samples, patient, caller=CALLER)
    samples = with_patients_as_labels(samples, patient, owners)
    model = Model(formula, contrast, method, options, samples, owners, CALLER)
    table = pseudobulk_table(pseudobulk, caller=CALLER)
    found = table_tests(table, model)
    warning = repeated_patients([found.design], patient=patient, formula=formula)
    if warning:
        warnings.warn(warning, RepeatedPatientsWarning, stacklevel=2)
    dropped = samples.index[~table.used]
    return make_result(
        RESULT,
        {f"{PREFIX}_{name}": value for name, value in found.values.items()},
        analysis=CALLER,
        parameters={**model.parameters, "patient": patient},
        coordinates={"gene": pseudobulk["gene"].to_numpy(), "sample": pseudobulk["sample"].to_numpy()},
        attributes={
            "test": METHODS[method],
            "minimum_attainable_p": NO_MINIMUM,
            "samples_dropped": listed(dropped) if dropped.size else "none",
        },
    )
