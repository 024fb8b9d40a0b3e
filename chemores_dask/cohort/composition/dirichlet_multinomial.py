"""Which states change relative to a reference, by a Dirichlet-multinomial model of all states at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.checks import check_between, listed
from chemores_dask.cohort.composition.state_table import (
    PairedStates,
    check_changeable,
    paired_states,
    state_position,
    warn_of_few,
)
from chemores_dask.errors import InputError
from chemores_dask.kernels.composition_chain import run_chain
from chemores_dask.kernels.paired_tests import minimum_p_value
from chemores_dask.randomness import cell_keys
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

WARM_UP = 1000
SWEEPS = 4000
BATCHES = 20
"""Parts of the chain whose means say how sure its probabilities are."""

REFERENCES = 3
"""Number of references chosen where none are named."""

PRESENT = 0.95
"""Share of the samples in which a reference that is chosen should have cells."""

_PLACE = ("reference", "state")
RESULT = declare(
    Variable(
        "dirichlet_inclusion", _PLACE, "f", doc="posterior probability that the state changes against the reference"
    ),
    Variable("dirichlet_inclusion_error", _PLACE, "f", doc="Monte Carlo standard error of that probability"),
    Variable("dirichlet_effect", _PLACE, "f", unit="log ratio to the reference", doc="posterior mean if there is one"),
    Variable("dirichlet_effect_lower", _PLACE, "f", unit="log ratio to the reference", doc="2.5 % of the posterior"),
    Variable("dirichlet_effect_upper", _PLACE, "f", unit="log ratio to the reference", doc="97.5 % of the posterior"),
    Variable(
        "dirichlet_credible", _PLACE, "b", doc="among the effects with an expected false discovery rate below fdr"
    ),
    Variable("dirichlet_credible_references", ("state",), "i", unit="references", doc="against which it is credible"),
    Variable("dirichlet_patients", (), "i", unit="patients", doc="with cells at both stages"),
    Variable(
        "dirichlet_minimum_p_value", (), "f", doc="smallest P that a test of signs can reach with so many patients"
    ),
)


def dirichlet_multinomial_composition(
    cube: xr.Dataset,
    *,
    patient: str = "patient",
    stage: str = "stage",
    before: str,
    after: str,
    references: Sequence[str] | None = None,
    fdr: float = 0.05,
    seed: Seed,
) -> xr.Dataset:
    """Find states that change within patients against a reference state that is taken not to change, as scCODA does.

    Cells of a sample are ``DirichletMultinomial(exp(alpha + u_patient + z beta))`` with ``z`` -1/2 before and 1/2 after, ``beta = 0``
    for the
    reference, and spike-and-slab priors: an effect is 0 with probability 1/2, and else Cauchy(0, 1). Patients have normal effects of
    their own. The posterior comes from a Markov chain; effects are credible while their mean probability of being 0 is at most ``fdr``.

    Parameters
    ----------
    cube
        Cohort cube with ``cube_cells`` over (sample, state), and ``patient`` and ``stage`` as variables over ``sample``.
    patient, stage
        Variables over ``sample``. Several samples of one patient and stage are added up.
    before, after
        The two stages.
    references
        States that serve as reference, one after the other; unless given, up to three that have cells in most samples and whose share
        varies least.
    fdr
        Expected share of false effects among those that are credible, for each reference.
    seed
        Decides the chains; that of a reference depends on its name, not on the other references.

    Returns
    -------
    Dataset over ``reference`` and ``state``: ``dirichlet_inclusion`` (posterior probability of an effect) with its Monte Carlo error,
    ``dirichlet_effect`` (log ratio, if there is an effect) with 95 % limits, ``dirichlet_credible``. Over ``state``:
    ``dirichlet_credible_references``. Numbers: ``dirichlet_patients``, ``dirichlet_minimum_p_value``. The reference itself and states
    without cells have no values, and are never credible.

    Raises
    ------
    MissingVariableError
        If the cube lacks a variable.
    InputError
        If a stage or reference is not there, nobody has cells at both stages, a reference has no cells, or fewer than two states have any.
    ParameterError
        If ``fdr`` is not between 0 and 1.

    Warns
    -----
    DroppedPatientsWarning
        If patients are left out because they lack a stage.
    SmallSampleWarning
        If so few patients remain that a test of signs cannot reach 0.05: then credibility rests on the model alone.

    Notes
    -----
    Passes over the counts: 0 (the cube is the only input). Not scCODA's program: the same kind of model with an effect of the patient, a
    Cauchy slab and exact indicators, by Metropolis steps with pseudo-priors (5,000 sweeps). One scatter holds for all states.

    References
    ----------
    Büttner M et al. (2021). scCODA is a Bayesian model for compositional single-cell data analysis. Nature Communications 12:6876.
    Newton MA et al. (2004). Detecting differential gene expression with a semiparametric hierarchical mixture method. Biostatistics
    5:155-176.
    """
    caller = "dirichlet_multinomial_composition"
    check_between(fdr, parameter="fdr", caller=caller, minimum=0, maximum=1)
    pairs = paired_states(cube, columns=(patient, stage), stages=(before, after), caller=caller)
    found = check_changeable(pairs, caller=caller)
    chosen = _references(pairs, found, references, caller)
    patients = len(pairs.patients)
    warn_of_few(patients, minimum_p_value(patients), tests="test of signs")
    counts, columns = _by_names(pairs, found)
    names = ("inclusion", "inclusion_error", "effect", "effect_lower", "effect_upper")
    values = {f"dirichlet_{name}": np.full((len(chosen), len(pairs.states)), np.nan) for name in names}
    credible = np.zeros((len(chosen), len(pairs.states)), dtype=bool)
    for row, reference in enumerate(chosen):
        tested = [column for column in columns if column != reference]
        posterior = _posterior(counts, columns.index(reference), pairs.states[reference], seed)
        for name in names:
            values[f"dirichlet_{name}"][row, tested] = posterior[name]
        credible[row, tested] = credible_effects(posterior["inclusion"], fdr)
    return make_result(
        RESULT,
        {
            **values,
            "dirichlet_credible": credible,
            "dirichlet_credible_references": credible.sum(axis=0),
            "dirichlet_patients": patients,
            "dirichlet_minimum_p_value": minimum_p_value(patients),
        },
        analysis=caller,
        parameters={
            "patient": patient, "stage": stage, "before": before, "after": after,
            "references": None if references is None else list(references), "fdr": fdr, "seed": seed,
        },
        coordinates={"reference": [pairs.states[place] for place in chosen], "state": list(pairs.states)},
        attributes={"patients_dropped": list(pairs.dropped), "sweeps": SWEEPS, "warm_up": WARM_UP},
    )  # fmt: skip


def credible_effects(inclusion: Vector, fdr: float) -> Vector:
    """The largest set of effects, most probable first, whose mean probability of being 0 is at most the rate.

    Parameters
    ----------
    inclusion
        Posterior probabilities of the effects.
    fdr
        The rate.

    Returns
    -------
    Boolean, one per effect.

    Examples
    --------
    >>> credible_effects(np.array([0.99, 0.5, 0.96]), 0.05)
    array([ True, False,  True])
    """
    order = np.argsort(-inclusion, kind="stable")
    expected = np.cumsum(1 - inclusion[order]) / np.arange(1, inclusion.size + 1)
    chosen = np.zeros(inclusion.size, dtype=bool)
    chosen[order] = expected <= fdr
    return chosen


def _by_names(pairs: PairedStates, found: Vector) -> tuple[Matrix, list[int]]:
    """Cells of the states found, and their positions; in the order of names, so that chains do not depend on that of samples or states."""
    rows = np.argsort(np.array([str(name) for name in pairs.patients]))
    columns = sorted((int(place) for place in np.flatnonzero(found)), key=lambda place: pairs.states[place])
    cells = np.stack([pairs.before[rows], pairs.after[rows]], axis=1)[:, :, columns]
    return cells.reshape(2 * len(rows), len(columns)).astype(np.float64), columns


def _references(pairs: PairedStates, found: Vector, named: Sequence[str] | None, caller: str) -> list[int]:
    if named is not None:
        places = [state_position(pairs.states, state, caller=caller) for state in dict.fromkeys(named)]
        empty = [pairs.states[place] for place in places if not found[place]]
        if empty or not places:
            message = (
                f"References of {caller} must be states with cells in paired patients. Got {listed(named)}; without "
                f"cells: {listed(empty)}."
            )
            raise InputError(message)
        return places
    cells = np.concatenate([pairs.before, pairs.after])
    shares = cells / cells.sum(axis=1, keepdims=True)
    present = (cells > 0).mean(axis=0)
    enough = np.minimum(present, PRESENT)
    with np.errstate(invalid="ignore", divide="ignore"):
        scatter = np.where(found, shares.var(axis=0) / shares.mean(axis=0), np.inf)
    order = sorted(np.flatnonzero(found), key=lambda place: (-enough[place], scatter[place], pairs.states[place]))
    return sorted(int(place) for place in order[:REFERENCES])


def _posterior(counts: Matrix, reference: int, name: str, seed: Seed) -> dict[str, Vector]:
    states = counts.shape[1]
    effects, counted = np.empty((SWEEPS, states)), np.empty((SWEEPS, states), dtype=np.uint8)
    generator = np.random.default_rng([int(seed) % 2**64, int(cell_keys([name])[0])])
    run_chain(np.ascontiguousarray(counts), reference, WARM_UP, effects, counted, generator)
    tested = np.arange(states) != reference
    effects, counted = effects[:, tested], counted[:, tested]
    batches = counted.reshape(BATCHES, -1, counted.shape[1]).mean(axis=1)
    drawn = [column[there > 0] for column, there in zip(effects.T, counted.T, strict=True)]
    limits = [np.quantile(values, [0.025, 0.975]) if values.size else np.full(2, np.nan) for values in drawn]
    return {
        "inclusion": counted.mean(axis=0),
        "inclusion_error": batches.std(axis=0, ddof=1) / np.sqrt(BATCHES),
        "effect": np.array([values.mean() if values.size else np.nan for values in drawn]),
        "effect_lower": np.array([pair[0] for pair in limits]),
        "effect_upper": np.array([pair[1] for pair in limits]),
    }
