"""Follow-up that can end in one of several causes, checked once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.checks import listed
from chemores_dask.cohort.outcome import Outcome, check_groups, check_outcome
from chemores_dask.errors import InputError, ParameterError, TooFewEventsError

MOST_CAUSES = 25
"""More values than these are measurements or names, not causes."""

_ENDED = "ended in a cause"


@dataclass(frozen=True)
class CompetingOutcome:
    """Follow-up of the patients of a cohort, and what ended it.

    Attributes
    ----------
    outcome
        Durations and entries; an event is any cause.
    cause
        0 for censored patients, otherwise the place of the cause in ``causes``, from 1.
    causes
        Labels of the causes, sorted (numbers by size).
    """

    outcome: Outcome
    cause: Vector
    causes: list[str]

    def code_of(self, label: str | float, *, parameter: str, caller: str) -> int:
        """Number of a cause.

        Parameters
        ----------
        label
            Label of the cause, or its code.
        parameter
            Name of the parameter that holds it, for messages.
        caller
            Name of the analysis, for messages.

        Returns
        -------
        Place of the cause in ``causes``, from 1.

        Raises
        ------
        ParameterError
            If nobody had such a cause.
        """
        text = label_text(label)
        if text not in self.causes:
            message = (
                f"The '{parameter}' parameter of {caller} must be a cause. Got {text!r}; causes: {listed(self.causes)}."
            )
            raise ParameterError(message)
        return self.causes.index(text) + 1


def check_causes(
    patients: xr.Dataset, *, duration: str, cause: str, censored: str | float | None, entry: str | None, caller: str
) -> CompetingOutcome:
    """Read durations and causes, and refuse those that cannot be.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    duration, entry
        Names of the variables with the end and the start of follow-up.
    cause
        Name of the variable that says what ended follow-up, as labels or codes.
    censored
        The label or code that stands for censored; None where everybody had an event.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    The outcome.

    Raises
    ------
    MissingVariableError
        If a variable is absent.
    InputError
        If a duration or a cause is missing or impossible.
    ParameterError
        If no patient has the label for censored.
    TooFewEventsError
        If all are censored.
    """
    codes, labels = check_groups(patients, cause, caller=caller)
    place = -1
    if censored is not None:
        if label_text(censored) not in labels:
            message = (
                f"The 'censored' parameter of {caller} must be a value of {cause!r}. Got {label_text(censored)!r}; values: "
                f"{listed(labels)}. Say censored=None if nobody was censored."
            )
            raise ParameterError(message)
        place = labels.index(label_text(censored))
    if len(labels) > MOST_CAUSES:
        message = (
            f"{cause!r} of {caller} must say which cause ended follow-up. Found {len(labels)} different values: {listed(labels)}; give "
            "the variable with the causes, or join causes that belong together."
        )
        raise InputError(message)
    causes = [label for number, label in enumerate(labels) if number != place]
    if not causes:
        message = f"{caller} needs events. {cause!r} is {labels[place]!r}, which stands for censored, for all {codes.size} patients."
        raise TooFewEventsError(message)
    numbers = np.zeros(len(labels), dtype=np.int64)
    numbers[[number for number in range(len(labels)) if number != place]] = np.arange(1, len(causes) + 1)
    ended = patients.assign({_ENDED: ("patient", numbers[codes] > 0)})
    outcome = check_outcome(ended, duration=duration, event=_ENDED, entry=entry, caller=caller)
    return CompetingOutcome(outcome, numbers[codes], causes)


def label_text(label: str | float) -> str:
    """A label or a code as text, as groups have it: whole numbers without decimals.

    Examples
    --------
    >>> label_text(2.0), label_text("relapse"), label_text(True)
    ('2', 'relapse', 'True')
    """
    if isinstance(label, float | np.floating) and float(label).is_integer():
        return str(int(label))
    return str(label)
