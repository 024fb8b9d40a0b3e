"""Whether a signature tells more of survival than random signatures of as many genes, expressed as highly."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import dask.array as da
import numpy as np
import scipy.sparse as sp
import xarray as xr
from dask import delayed
from dask.delayed import Delayed

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.checks import check_whole, listed
from chemores_dask.cohort.risk_signature.hazard_of_risk import fit_risks
from chemores_dask.cohort.risk_signature.scored_cohort import ScoredCohort, score_cohort
from chemores_dask.cohort.risk_signature.signature_genes import gene_rows, measured_at_all, signature_weights
from chemores_dask.errors import GeneMismatchError, InputError
from chemores_dask.kernels.weighted_survival import concordance_columns, timed_risk
from chemores_dask.randomness import cell_uniforms
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 1

CALLER = "random_signatures"
DRAWS_IN_A_TASK = 250
ROOM = 2
"""Candidates that a bin must hold for each gene of the signature in it."""

SLACK = 1e-12
"""Random signatures that come so near count as reaching the signature."""

SMALLEST_SPREAD = 1e-12
SIGNIFICANT = 0.05

_DRAW, _GENE = ("draw",), ("gene",)
RESULT = declare(
    Variable("random_signature_patients", (), "i", unit="patients", doc="with expression and an outcome"),
    Variable("random_signature_events", (), "i", unit="patients", doc="with the event, among those"),
    Variable("random_signature_genes", (), "i", unit="genes", doc="of the signature, measured and varying"),
    Variable("random_signature_missing_genes", (), "i", unit="genes", doc="of the signature, the others"),
    Variable("random_signature_candidates", (), "i", unit="genes", doc="that random signatures are drawn from"),
    Variable("random_signature_bin", _GENE, "i", doc="of mean expression, from the lowest"),
    Variable("random_signature_bin_genes", _GENE, "i", unit="genes", doc="candidates in that bin"),
    Variable("random_signature_concordance", (), "f", doc="Harrell's, of the signature, scored as the random ones are"),
    Variable("random_signature_hazard_ratio", (), "f", doc="per standard deviation, of the signature likewise"),
    Variable("random_signature_p_value", (), "f", doc="Wald test of the signature against no association, two-sided"),
    Variable("random_signature_draw_concordance", _DRAW, "f", doc="of a random signature"),
    Variable("random_signature_draw_hazard_ratio", _DRAW, "f", doc="per standard deviation, of a random signature"),
    Variable("random_signature_draw_p_value", _DRAW, "f", doc="Wald test of a random signature, two-sided"),
    Variable(
        "random_signature_concordance_p_value",
        (),
        "f",
        doc="random signatures whose concordance lies as far from one half; (1 + reached) / (1 + draws)",
    ),
    Variable(
        "random_signature_hazard_p_value",
        (),
        "f",
        doc="random signatures whose hazard ratio lies as far from 1; (1 + reached) / (1 + draws)",
    ),
    Variable("random_signature_significant_share", (), "f", doc="of the random signatures, with P below 0.05"),
)


@dataclass(frozen=True)
class RandomSignatureOptions:
    """How random signatures are drawn.

    Attributes
    ----------
    expression
        Variable over (patient, gene).
    draws
        Random signatures.
    bins
        Groups of candidates of like mean expression; a gene is replaced by one of its own group.
    """

    expression: str = "expression"
    draws: int = 1000
    bins: int = 20


@dataclass(frozen=True)
class _Pool:
    """Genes that take part: places in the cohort.

    ``members[b]`` are the candidates of bin b, ``own`` the genes of the signature, in the order of their bins.
    """

    members: list[Vector]
    own: Vector
    own_bin: Vector
    weight: Vector


def random_signatures(
    patients: xr.Dataset,
    *,
    signature: xr.Dataset,
    duration: str,
    event: str,
    options: RandomSignatureOptions = RandomSignatureOptions(),
    seed: Seed,
) -> xr.Dataset:
    """Hold a signature against random ones with as many genes, the same weights, and genes expressed as highly.

    Most random signatures tell something of survival where one process, such as proliferation, moves many genes [1]_: a small P against
    no association says little of a signature. Here every gene is replaced by a random one from its bin of mean expression, which takes
    over its weight. Signature and random ones are scored in the same way: the weighed sum of the genes' z-scores in this cohort.

    Parameters
    ----------
    patients
        Variables over ``patient``, expression over (patient, gene). Patients without any expression or an outcome are left out.
    signature
        Dataset over ``gene`` with ``risk_signature_weight``, such as the result of :func:`fit_risk_signature`.
    duration, event
        Variables over ``patient``: follow-up in any unit, and whether it ended in the event (boolean, or 0 and 1).
    options
        Expression, draws, bins.
    seed
        A draw depends on it and on the draw's number only.

    Returns
    -------
    Dataset over ``draw`` and ``gene`` (of the signature, measured): ``random_signature_concordance`` with
    ``random_signature_concordance_p_value``, ``random_signature_hazard_ratio`` (per standard deviation) with
    ``random_signature_hazard_p_value``, the same of every draw, and ``random_signature_significant_share``: how many random signatures
    have P below 0.05 by themselves.

    Raises
    ------
    MissingVariableError
        If a variable is absent.
    GeneMismatchError
        If no gene of the signature is measured.
    InputError
        If a bin has fewer than two candidates for each gene of the signature in it, a gene occurs twice, or an outcome is impossible.
    TooFewEventsError
        If fewer than two events are left.

    Notes
    -----
    Passes over the counts: 0; over the expression: 3. The null hypothesis is that the genes of the signature are as good as others of their
    bins. A random signature counts in whichever direction it points, the signature in its own only: one that tells survival the wrong way
    round has P 1. Candidates are known in all patients and vary; a gene of the signature that is not known in a patient is taken at its
    mean. Memory: 250 draws x patients x 8 bytes for each block of genes.

    References
    ----------
    .. [1] Venet D, Dumont JE, Detours V (2011). Most random gene expression signatures are significantly associated with breast cancer
       outcome. PLoS Comput Biol 7:e1002240.
    """
    check_whole(options.draws, parameter="draws", caller=CALLER, minimum=1)
    check_whole(options.bins, parameter="bins", caller=CALLER, minimum=1)
    genes, weights = signature_weights(signature, caller=CALLER)
    rows = gene_rows(patients, options.expression, caller=CALLER)
    scored = np.where(measured_at_all(rows), 0.0, np.nan)
    cohort = score_cohort(
        patients, scored, np.ones(scored.size, dtype=np.int64), duration=duration, event=event, caller=CALLER
    )
    rows = rows.isel(patient=cohort.rows)
    mean, spread, complete = _gene_statistics(rows)
    pool = _make_pool(rows["gene"].to_numpy(), (mean, spread, complete), genes, weights, options.bins)
    observed = pool.own[None, :]
    tasks = [
        _drawn_genes(pool, np.arange(first, min(first + DRAWS_IN_A_TASK, options.draws)), seed)
        for first in range(0, options.draws, DRAWS_IN_A_TASK)
    ]
    blocks = _standardized_blocks(rows, mean, spread)
    found = np.concatenate(
        [*compute(*(_judged(blocks, chosen, pool, cohort) for chosen in (observed, *tasks)))], axis=1
    )
    return make_result(
        RESULT,
        {
            **_null_values(found),
            "random_signature_patients": cohort.risk.size,
            "random_signature_events": int(cohort.event.sum()),
            "random_signature_genes": pool.own.size,
            "random_signature_missing_genes": genes.size - pool.own.size,
            "random_signature_candidates": sum(part.size for part in pool.members),
            "random_signature_bin": pool.own_bin,
            "random_signature_bin_genes": np.array([pool.members[code].size for code in pool.own_bin]),
        },
        analysis=CALLER,
        parameters={"duration": duration, "event": event, "options": asdict(options), "seed": seed},
        coordinates={"gene": rows["gene"].to_numpy()[pool.own], "draw": np.arange(1, options.draws + 1)},
    )


def _gene_statistics(rows: xr.DataArray) -> tuple[Vector, Vector, Vector]:
    data = rows.data.astype(np.float64)
    known = da.isfinite(data)
    number = da.maximum(known.sum(axis=1), 1)
    mean = da.where(known, data, 0.0).sum(axis=1) / number
    squares = (da.where(known, data - mean[:, None], 0.0) ** 2).sum(axis=1) / number
    means, variances, complete, infinite = compute(mean, squares, known.all(axis=1), da.isinf(data).any(axis=1))
    if infinite.any():
        message = f"The expression of {CALLER} must be finite. Not so for: {listed(rows['gene'].to_numpy()[infinite])}."
        raise InputError(message)
    return means, np.sqrt(variances), complete


def _make_pool(
    names: Vector, statistics: tuple[Vector, Vector, Vector], genes: Vector, weights: Vector, bins: int
) -> _Pool:
    mean, spread, complete = statistics
    varies = spread > SMALLEST_SPREAD * np.maximum(np.abs(mean), SMALLEST_SPREAD)
    candidates = np.flatnonzero(complete & varies)
    places = {str(name): place for place, name in enumerate(names)}
    own = np.array([places.get(gene, -1) for gene in genes], dtype=np.int64)
    usable = own >= 0
    usable[usable] = varies[own[usable]]
    if not usable.any():
        message = (
            f"{CALLER} needs genes of the signature that are measured and vary. Found none of {genes.size}: {listed(genes)}; genes of the "
            f"cohort: {listed(names)}. Use the same kind of names."
        )
        raise GeneMismatchError(message)
    edges = np.quantile(mean[candidates], np.arange(1, bins) / bins) if candidates.size else np.empty(0)
    code, own_bin = np.searchsorted(edges, mean[candidates]), np.searchsorted(edges, mean[own[usable]])
    members = [candidates[code == number] for number in range(bins)]
    needed = np.bincount(own_bin, minlength=bins)
    narrow = [number for number in range(bins) if needed[number] and members[number].size < ROOM * needed[number]]
    if narrow:
        found = [f"{members[n].size} for {needed[n]}" for n in narrow]
        message = (
            f"Every bin of {CALLER} must hold at least {ROOM} candidates for each gene of the signature in it. Found {listed(found)} in "
            f"{len(narrow)} of {bins} bins, with {candidates.size} candidates in all; use fewer 'bins'."
        )
        raise InputError(message)
    order = np.argsort(own_bin, kind="stable")
    return _Pool(members, own[usable][order], own_bin[order], weights[usable][order])


def _drawn_genes(pool: _Pool, draws: Vector, seed: Seed) -> Matrix:
    """Different genes for each draw, bin by bin: draws by genes of the signature."""
    uniforms = cell_uniforms(seed, draws.astype(np.uint64), pool.own.size)
    chosen = np.empty(uniforms.shape, dtype=np.int64)
    for number in np.unique(pool.own_bin):
        columns = np.flatnonzero(pool.own_bin == number)
        members = pool.members[number]
        taken = np.empty((draws.size, 0), dtype=np.int64)
        for turn, column in enumerate(columns):
            # The place among those not taken yet; every taken one at or below it moves it up by one.
            place = (uniforms[:, column] * (members.size - turn)).astype(np.int64)
            for earlier in range(turn):
                place += place >= taken[:, earlier]
            chosen[:, column] = members[place]
            taken = np.sort(np.concatenate([taken, place[:, None]], axis=1), axis=1)
    return chosen


def _standardized_blocks(rows: xr.DataArray, mean: Vector, spread: Vector) -> list[tuple[int, Delayed]]:
    starts = np.cumsum([0, *rows.data.chunks[0]])
    return [
        (int(start), delayed(_standardize, pure=True)(block, mean[start:end], spread[start:end]))
        for block, start, end in zip(rows.data.to_delayed().ravel(), starts[:-1], starts[1:], strict=True)
    ]


def _standardize(block: Matrix, mean: Vector, spread: Vector) -> Matrix:
    centered = np.asarray(block, dtype=np.float64) - mean[:, None]
    return np.where(np.isnan(centered), 0.0, centered) / np.where(spread > 0, spread, 1.0)[:, None]


def _judged(blocks: list[tuple[int, Delayed]], chosen: Matrix, pool: _Pool, cohort: ScoredCohort) -> Delayed:
    parts = [delayed(_partial_scores, pure=True)(block, start, chosen, pool.weight) for start, block in blocks]
    return delayed(_judge, pure=True)(parts, cohort.duration, cohort.event)


def _partial_scores(block: Matrix, start: int, chosen: Matrix, weight: Vector) -> Matrix:
    draws, columns = np.nonzero((chosen >= start) & (chosen < start + block.shape[0]))
    shape = (chosen.shape[0], block.shape[0])
    weights = sp.csr_array((weight[columns], (draws, chosen[draws, columns] - start)), shape=shape)
    return np.asarray(weights @ block)


def _judge(parts: list[Matrix], duration: Vector, event: Vector) -> Matrix:
    scores = np.ascontiguousarray(np.sum(parts, axis=0))
    order, patients = timed_risk(scores[0], duration, event)
    fits = fit_risks(scores, duration, event)
    return np.stack(
        [
            concordance_columns(scores, order, patients.starts, patients.event),
            [fit.coefficient * fit.deviation for fit in fits],
            [fit.p_value for fit in fits],
        ]
    )


def _null_values(found: Matrix) -> dict[str, object]:
    own, drawn = found[:, 0], found[:, 1:]
    reached = [
        int((np.abs(drawn[row] - center) >= own[row] - center - SLACK).sum()) for row, center in ((0, 0.5), (1, 0.0))
    ]
    draws = drawn.shape[1]
    chances = [(1 + number) / (1 + draws) if np.isfinite(own[row]) else np.nan for row, number in enumerate(reached)]
    return {
        "random_signature_concordance": own[0],
        "random_signature_hazard_ratio": float(np.exp(own[1])),
        "random_signature_p_value": own[2],
        "random_signature_draw_concordance": drawn[0],
        "random_signature_draw_hazard_ratio": np.exp(drawn[1]),
        "random_signature_draw_p_value": drawn[2],
        "random_signature_concordance_p_value": float(chances[0]),
        "random_signature_hazard_p_value": float(chances[1]),
        "random_signature_significant_share": float((drawn[2] < SIGNIFICANT).mean()),
    }
