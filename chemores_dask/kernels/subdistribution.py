"""Fine and Gray's proportional subdistribution hazards: likelihood, and residuals for the sandwich variance.

Patients whom another cause has ended stay in the risk set with the weight ``G(t-) / G(T-)``, where ``G`` is the Kaplan-Meier curve of the
censoring and ``T`` the end of their follow-up; ties are Breslow's.

References
----------
Fine JP, Gray RJ (1999). A proportional hazards model for the subdistribution of a competing risk. JASA 94:496-509.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit

CENSORED, OF_INTEREST, OTHER = 0, 1, 2


class SubdistributionRisk(NamedTuple):
    """Patients in the order of their duration, and the times at which something happens.

    Attributes
    ----------
    place
        Number of each patient's time in the list of all distinct times.
    ending
        0 censored, 1 ended by the cause of interest, 2 by another.
    at_risk
        Over distinct times: patients still followed.
    lost
        Over distinct times: patients censored at the time.
    uncensored
        Over distinct times: Kaplan-Meier's curve of the censoring just before the time.
    """

    place: Vector
    ending: Vector
    at_risk: Vector
    lost: Vector
    uncensored: Vector


def subdistribution_risk(duration: Vector, ending: Vector) -> tuple[SubdistributionRisk, Vector, Vector]:
    """Sort patients and estimate the curve of the censoring.

    Parameters
    ----------
    duration, ending
        One entry per patient, in any order.

    Returns
    -------
    The risk sets, the order in which they hold the patients, and the distinct times.
    """
    order = np.lexsort((ending, duration))
    times, place = np.unique(duration[order], return_inverse=True)
    lost = np.bincount(place[ending[order] == CENSORED], minlength=times.size)
    at_risk = duration.size - np.concatenate([[0], np.cumsum(np.bincount(place))[:-1]])
    after = np.cumprod((at_risk - lost) / at_risk)
    return (
        SubdistributionRisk(place, ending[order], at_risk, lost, np.concatenate([[1.0], after[:-1]])),
        order,
        times,
    )


@jit
def risk_sums(
    coefficients: Vector, design: Matrix, risk: SubdistributionRisk
) -> tuple[Vector, Vector, Matrix, Matrix, Vector]:
    """Add up relative hazards over the weighted risk sets.

    Parameters
    ----------
    coefficients, design, risk
        Terms, patients by terms in the order of ``risk``, and the risk sets.

    Returns
    -------
    Logarithm of the relative hazard of each patient; over distinct times the sum of the hazards, of hazards times terms, of hazards times
    products of terms (flattened), and the number of events of interest.
    """
    patients, terms = design.shape
    times = risk.at_risk.size
    logarithm = design @ coefficients
    total = np.zeros(times)
    first = np.zeros((times, terms))
    second = np.zeros((times, terms * terms))
    events = np.zeros(times)
    # Those whom another cause ended earlier, divided by the censoring curve at their end.
    gone = np.zeros(1 + terms + terms * terms)
    i = 0
    for k in range(times):
        total[k] = gone[0] * risk.uncensored[k]
        for a in range(terms):
            first[k, a] = gone[1 + a] * risk.uncensored[k]
        for a in range(terms * terms):
            second[k, a] = gone[1 + terms + a] * risk.uncensored[k]
        while i < patients and risk.place[i] == k:
            if risk.ending[i] == 1:
                events[k] += 1
            elif risk.ending[i] == 2:
                hazard = np.exp(logarithm[i]) / risk.uncensored[k]
                gone[0] += hazard
                for a in range(terms):
                    gone[1 + a] += hazard * design[i, a]
                    for b in range(terms):
                        gone[1 + terms + a * terms + b] += hazard * design[i, a] * design[i, b]
            i += 1
    gone[:] = 0.0
    i = patients - 1
    for k in range(times - 1, -1, -1):
        while i >= 0 and risk.place[i] == k:
            hazard = np.exp(logarithm[i])
            gone[0] += hazard
            for a in range(terms):
                gone[1 + a] += hazard * design[i, a]
                for b in range(terms):
                    gone[1 + terms + a * terms + b] += hazard * design[i, a] * design[i, b]
            i -= 1
        total[k] += gone[0]
        first[k] += gone[1 : 1 + terms]
        second[k] += gone[1 + terms :]
    return logarithm, total, first, second, events


def subdistribution_terms(
    coefficients: Vector, design: Matrix, risk: SubdistributionRisk
) -> tuple[float, Vector, Matrix]:
    """Log partial likelihood, its slope and information.

    Parameters
    ----------
    coefficients, design, risk
        As for :func:`risk_sums`.

    Returns
    -------
    Value, slope over terms, information over terms by terms.
    """
    terms = coefficients.size
    logarithm, total, first, second, events = risk_sums(coefficients, design, risk)
    ended = risk.ending == OF_INTEREST
    used = events > 0
    mean = first[used] / total[used, None]
    value = float(logarithm[ended].sum() - (events[used] * np.log(total[used])).sum())
    slope = design[ended].sum(axis=0) - events[used] @ mean
    spread = (second[used] / total[used, None]).reshape(-1, terms, terms) - mean[:, :, None] * mean[:, None, :]
    return value, slope, np.tensordot(events[used], spread, axes=1)


def score_residuals(coefficients: Vector, design: Matrix, risk: SubdistributionRisk) -> Matrix:
    """What each patient adds to the slope, with what estimating the censoring adds to it.

    The sum of ``integral (z - zbar) w dM`` for the subdistribution and ``integral (q / r) dM_c`` for the censoring, where ``q(u)`` is what
    the patients ended by other causes before ``u`` add from ``u`` on, and ``r(u)`` the number still followed.

    Parameters
    ----------
    coefficients, design, risk
        As for :func:`risk_sums`, at the maximum.

    Returns
    -------
    Patients by terms, in the order of ``risk``.
    """
    logarithm, total, first, _, events = risk_sums(coefficients, design, risk)
    hazard = np.divide(events, total, out=np.zeros(total.size), where=events > 0)
    mean = np.divide(first, total[:, None], out=np.zeros(first.shape), where=(events > 0)[:, None])
    relative = np.exp(logarithm)
    place, other = risk.place, risk.ending == OTHER
    ended = risk.ending == OF_INTEREST
    # Integrals of the hazard and of hazard times mean: up to each time, and weighted by the censoring curve after it.
    risen, risen_mean = np.cumsum(hazard), np.cumsum(hazard[:, None] * mean, axis=0)
    weighted = hazard * risk.uncensored
    to_come = np.cumsum(weighted[::-1])[::-1]
    to_come_mean = np.cumsum((weighted[:, None] * mean)[::-1], axis=0)[::-1]
    after = np.append(to_come, 0.0)[place + 1] / risk.uncensored[place]
    after_mean = np.vstack([to_come_mean, np.zeros(design.shape[1])])[place + 1] / risk.uncensored[place, None]
    exposure = risen[place] + np.where(other, after, 0.0)
    exposure_mean = risen_mean[place] + np.where(other[:, None], after_mean, 0.0)
    residual = np.where(ended[:, None], design - mean[place], 0.0)
    residual -= relative[:, None] * (design * exposure[:, None] - exposure_mean)
    # Censoring: sums over those ended by another cause before each time.
    inverse = np.where(other, relative / risk.uncensored[place], 0.0)
    earlier = np.concatenate([[0.0], np.cumsum(np.bincount(place, inverse, minlength=total.size))[:-1]])
    earlier_design = np.stack(
        [
            np.concatenate([[0.0], np.cumsum(np.bincount(place, inverse * column, minlength=total.size))[:-1]])
            for column in design.T
        ],
        axis=1,
    )
    pending = (earlier_design * to_come[:, None] - earlier[:, None] * to_come_mean) / risk.at_risk[:, None]
    compensator = np.cumsum(pending * (risk.lost / risk.at_risk)[:, None], axis=0)
    residual += np.where((risk.ending == CENSORED)[:, None], pending[place], 0.0) - compensator[place]
    return residual
