"""Signatures of a state from patients that were not held out, so that no cell is scored by what it helped to define."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import t as student

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.checks import check_between, check_variables, check_whole, listed
from chemores_dask.errors import InputError
from chemores_dask.kernels.moderated_variance import squeeze_variances, total_degrees
from chemores_dask.provenance import canonical_json
from chemores_dask.randomness import deal_folds
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 1

_GENES = ("fold", "gene")
RESULT = declare(
    Variable(
        "signature_member",
        _GENES,
        "b",
        doc="in the signature that the patients outside of the fold make; fold 0 is empty",
    ),
    Variable(
        "signature_log_fold_change", _GENES, "f", unit="log2 of expression", doc="mean over patients, state less others"
    ),
    Variable("signature_t_statistic", _GENES, "f", doc="moderated, paired within patients"),
    Variable("signature_p_value", _GENES, "f", doc="one-sided: higher in the state (moderated paired t)"),
    Variable("signature_size", ("fold",), "i", unit="genes"),
    Variable(
        "signature_training_patients",
        ("fold",),
        "i",
        unit="patients",
        doc="with enough cells on both sides, outside of the fold",
    ),
    Variable("signature_fold", ("patient",), "i", doc="whose signature leaves the patient out: 1, 2, …"),
    Variable("signature_trains", ("patient",), "b", doc="enough cells in the state and in others"),
    Variable("signature_folds_chosen", ("gene",), "i", unit="folds", doc="of folds 1, 2, … that choose the gene"),
)

LEAST_PATIENTS = 2


@dataclass(frozen=True)
class SignatureLimits:
    """What a patient needs to train, and a gene to be chosen.

    Attributes
    ----------
    minimum_cells
        Cells of a patient in the state, and as many in others: the mean of a few cells is mostly noise.
    minimum_log_fold_change
        Least mean difference of a gene, as log2.
    minimum_detected
        Least share of the state's cells in which a gene has a count, on average over patients.
    """

    minimum_cells: int = 10
    minimum_log_fold_change: float = 0.25
    minimum_detected: float = 0.25

    def __post_init__(self) -> None:
        check_whole(self.minimum_cells, parameter="minimum_cells", caller="SignatureLimits", minimum=1)
        for name, most in (("minimum_log_fold_change", None), ("minimum_detected", 1.0)):
            check_between(getattr(self, name), parameter=name, caller="SignatureLimits", minimum=0.0, maximum=most)


PUBLISHED = SignatureLimits()


def stemness_signatures(
    cube: xr.Dataset,
    *,
    state: str,
    patient: str = "patient",
    folds: int = 5,
    genes: int = 50,
    limits: SignatureLimits = PUBLISHED,
    seed: Seed,
) -> xr.Dataset:
    """Find the genes of a state several times, each time without some patients.

    Patients are dealt to folds. For each fold the patients outside of it make a signature: per patient and gene, the mean log expression
    of the cells in the state less that of all other cells; over patients the moderated t of these differences [1]_, with a variance
    that depends on the mean expression; the ``genes`` with the largest t among those that are high enough and detected often enough.
    :func:`stemness` scores the cells of a patient by the signature that leaves the patient out. Any state will do, a resistant one, too.

    Parameters
    ----------
    cube
        Cohort cube over (sample, state, gene) with ``patient`` over ``sample``.
    state
        The state; all others are what it is held against.
    patient
        Variable over ``sample``; the samples of a patient are added up.
    folds
        Most folds; with fewer patients each is left out alone.
    genes
        Genes in a signature, at the most.
    limits
        What a patient needs to train, and a gene to be chosen; 10 cells on both sides, a difference of 0.25 (log2) and a count in a
        quarter of the state's cells unless given.
    seed
        Of the folds.

    Returns
    -------
    Dataset over ``fold`` and ``gene``; fold 0 leaves nobody out and is for other cohorts. ``signature_member``,
    ``signature_log_fold_change``, ``signature_t_statistic``, ``signature_p_value`` (not a number where a gene is not expressed); over
    ``fold`` ``signature_size`` and ``signature_training_patients``; over ``patient`` ``signature_fold`` and ``signature_trains``; over
    ``gene`` ``signature_folds_chosen``. The attribute ``signature_patients`` lists, as JSON, the patients that made the signature of each
    fold.

    Raises
    ------
    MissingVariableError
        If the cube lacks a variable.
    InputError
        If the state is not in the cube, is the only one, a sample has no patient, fewer than two patients train outside of some fold, or
        no gene is high enough.
    ParameterError
        If a number cannot be used.

    Notes
    -----
    Passes over the counts: 0 (the cube is the only input). Patients with too few cells to train have a fold, too. P values order genes;
    they hold for the patients outside of the fold, and for the state as it was called: a state that was cut from a score of these genes
    makes them significant by construction, which is why they are not tested again on the same patients.

    References
    ----------
    .. [1] Smyth GK (2004). Linear models and empirical Bayes methods for assessing differential expression in microarray experiments.
       Statistical Applications in Genetics and Molecular Biology 3:3.

    Examples
    --------
    >>> generator = np.random.default_rng(1)
    >>> sums = generator.normal(50.0, 2.0, size=(4, 2, 6)) + 40.0 * (np.arange(2)[:, None] == 1) * (np.arange(6) == 3)
    >>> cube = xr.Dataset(
    ...     {
    ...         "cube_cells": (("sample", "state"), np.full((4, 2), 50)),
    ...         "cube_log_sum": (("sample", "state", "gene"), sums),
    ...         "cube_detected": (("sample", "state", "gene"), np.full((4, 2, 6), 40)),
    ...     },
    ...     coords={"state": ["other", "stem_like"], "gene": list("ABCDEF"), "patient": ("sample", ["P1", "P2", "P3", "P4"])},
    ... )
    >>> found = stemness_signatures(cube, state="stem_like", folds=2, seed=1)
    >>> found["gene"].values[found["signature_member"].sel(fold=0).values].tolist()
    ['D']
    """
    check_whole(genes, parameter="genes", caller="stemness_signatures", minimum=1)
    table = _read(cube, state=state, patient=patient, minimum_cells=limits.minimum_cells)
    check_whole(folds, parameter="folds", caller="stemness_signatures", minimum=2)
    asked, folds = folds, min(folds, max(len(table.patients), 2))
    fold_of = deal_folds(table.patients, folds=folds, seed=seed)
    trains = [table.enough & (fold_of != fold) for fold in range(folds + 1)]
    _check_training(table, trains, limits)
    parts = [_signature(table, chosen, limits, genes=genes) for chosen in trains]
    members = np.stack([part["signature_member"] for part in parts])
    _check_members(members, limits)
    return make_result(
        RESULT,
        {
            **{name: np.stack([part[name] for part in parts]) for name in parts[0]},
            "signature_size": members.sum(axis=1),
            "signature_training_patients": np.array([chosen.sum() for chosen in trains]),
            "signature_fold": fold_of,
            "signature_trains": table.enough,
            "signature_folds_chosen": members[1:].sum(axis=0),
        },
        analysis="stemness_signatures",
        parameters={
            "state": state,
            "patient": patient,
            "folds": asked,
            "genes": genes,
            "limits": asdict(limits),
            "seed": seed,
        },
        coordinates={
            "fold": np.arange(folds + 1),
            "gene": cube["gene"].to_numpy(),
            "patient": table.patients,
        },
        attributes={
            "signature_patients": canonical_json(
                {str(fold): table.patients[chosen].tolist() for fold, chosen in enumerate(trains)}
            ),
            "signature_state": state,
            "signature_test": "moderated paired t over patients",
        },
    )


@dataclass(frozen=True)
class _Patients:
    """Per patient: the difference of the means and their middle, the share of cells with a count, and whether it can be trusted."""

    patients: Vector
    difference: Matrix
    middle: Matrix
    detected: Matrix
    enough: Vector


def _read(cube: xr.Dataset, *, state: str, patient: str, minimum_cells: int) -> _Patients:
    caller = "stemness_signatures"
    check_variables(cube, ["cube_cells"], dims=("sample", "state"), what="the cube", caller=caller)
    check_variables(
        cube, ["cube_log_sum", "cube_detected"], dims=("sample", "state", "gene"), what="the cube", caller=caller
    )
    check_variables(cube, [patient], dims=("sample",), what="the cube", caller=caller)
    states = [str(label) for label in cube["state"].to_numpy()]
    if state not in states or len(states) < 2:
        message = (
            f"The state of {caller} must be one of several in the cube. Got {state!r}; present: {listed(states)}. Make the cube with "
            "cohort_cube(cells, sample=..., state=...)."
        )
        raise InputError(message)
    place = states.index(state)
    names = pd.Series(cube[patient].to_numpy())
    unknown = names.isna() | (names.astype(str) == "")
    if unknown.any():
        message = (
            f"Every sample of {caller} must have a patient. {int(unknown.sum())} of {len(names)} have no {patient!r}."
        )
        raise InputError(message)
    owner, patients = pd.factorize(names.astype(str), sort=True)
    cells, inside, whole, detected = compute(
        cube["cube_cells"].data,
        cube["cube_log_sum"][:, place].data,
        cube["cube_log_sum"].sum("state", skipna=False).data,
        cube["cube_detected"][:, place].data,
    )
    size = len(patients)
    number = _by_patient(np.asarray(cells)[:, place], owner, size)
    others = _by_patient(np.asarray(cells).sum(axis=1), owner, size) - number
    inside, whole, detected = (_by_patient(np.asarray(part), owner, size) for part in (inside, whole, detected))
    if not (np.isfinite(inside).all() and np.isfinite(whole).all()):
        message = f"Sums of expression must be finite in {caller}. Found missing or infinite ones; pass a cohort cube of counts."
        raise InputError(message)
    upper, lower = inside / np.maximum(number, 1)[:, None], (whole - inside) / np.maximum(others, 1)[:, None]
    return _Patients(
        np.asarray(patients, dtype=object),
        (upper - lower) / np.log(2),
        (upper + lower) / 2,
        detected / np.maximum(number, 1)[:, None],
        (number >= minimum_cells) & (others >= minimum_cells),
    )


def _by_patient(values: np.ndarray, owner: Vector, patients: int) -> np.ndarray:
    summed = np.zeros((patients, *values.shape[1:]))
    np.add.at(summed, owner, values)
    return summed


def _check_training(table: _Patients, trains: Iterable[Vector], limits: SignatureLimits) -> None:
    fewest = min(int(chosen.sum()) for chosen in trains)
    if fewest < LEAST_PATIENTS:
        known = table.patients[table.enough]
        message = (
            f"stemness_signatures needs at least {LEAST_PATIENTS} patients outside of every fold, each with {limits.minimum_cells} cells "
            f"in the state and as many in others. Found {fewest}; patients with enough cells: {listed(known)} (of {len(table.patients)}). "
            "Add patients, pass more folds, or lower minimum_cells."
        )
        raise InputError(message)


def _signature(table: _Patients, chosen: Vector, limits: SignatureLimits, *, genes: int) -> dict[str, Vector]:
    difference = table.difference[chosen]
    patients = len(difference)
    mean = difference.mean(axis=0)
    middle = table.middle[chosen].mean(axis=0)
    variance = difference.var(axis=0, ddof=1)
    expressed = middle > 0
    t, p_value = np.full(len(mean), np.nan), np.full(len(mean), np.nan)
    if expressed.sum() > 1:
        squeezed = squeeze_variances(variance[expressed], patients - 1.0, trend=middle[expressed])
        spread = np.sqrt(squeezed.posterior / patients)
        t[expressed] = np.divide(mean[expressed], spread, out=np.full(len(spread), np.nan), where=spread > 0)
        p_value[expressed] = student.sf(t[expressed], total_degrees(patients - 1.0, squeezed.prior_degrees))
    fit = (
        (mean >= limits.minimum_log_fold_change)
        & (table.detected[chosen].mean(axis=0) >= limits.minimum_detected)
        & np.isfinite(t)
    )
    member = np.zeros(len(mean), dtype=bool)
    # Equal ones in the order of the genes.
    member[np.argsort(np.where(fit, -t, np.inf), kind="stable")[: min(genes, int(fit.sum()))]] = True
    return {
        "signature_member": member,
        "signature_log_fold_change": mean,
        "signature_t_statistic": t,
        "signature_p_value": p_value,
    }


def _check_members(members: Matrix, limits: SignatureLimits) -> None:
    empty = np.flatnonzero(~members.any(axis=1))
    if len(empty):
        message = (
            f"Every signature of stemness_signatures must have a gene. Those of {listed(f'fold {fold}' for fold in empty)} have none that "
            f"is higher in the state by {limits.minimum_log_fold_change:g} (log2) and seen in {limits.minimum_detected:.0%} of its cells; "
            "lower these limits, or look whether the state is one."
        )
        raise InputError(message)
