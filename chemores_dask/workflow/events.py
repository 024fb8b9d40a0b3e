"""What a run tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class StepStarted:
    """A step begins.

    Attributes
    ----------
    name
        Of the step.
    number, steps
        It is this one of so many that must run.
    """

    name: str
    number: int
    steps: int


@dataclass(frozen=True)
class StepFinished:
    """A step is done.

    Attributes
    ----------
    name
        Of the step.
    rows
        Rows that all steps up to this one were expected to decode.
    reused
        True if its result was there already.
    warnings
        Messages of the warnings it gave.
    """

    name: str
    rows: int
    reused: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowsDecoded:
    """The run goes on.

    Attributes
    ----------
    rows
        Rows decoded since the run began.
    expected
        Rows that the whole run is expected to decode.
    """

    rows: int
    expected: int


@dataclass(frozen=True)
class WaitingForStore:
    """Another process writes into the store; the run waits for it.

    Attributes
    ----------
    said
        Who it is, for people.
    """

    said: str


Event = StepStarted | StepFinished | RowsDecoded | WaitingForStore
Watch = Callable[[Event], None]
"""Called with every event; rows are reported from a thread of their own."""


def watch_nothing(event: Event) -> None:
    """Let a run go on unwatched."""
