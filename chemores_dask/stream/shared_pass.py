"""Several analyses in one pass: they run side by side, and what they ask for at the same time is computed together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar

from chemores_dask.checks import listed
from chemores_dask.errors import InterruptedPassError, ParameterError
from chemores_dask.memory import shared_pass
from chemores_dask.stream.compute import ASK, compute

Name = TypeVar("Name", bound=Hashable)
Result = TypeVar("Result")


def share_passes(analyses: Mapping[Name, Callable[[], Result]]) -> dict[Name, Result]:
    """Run analyses that do not need each other, so that they read the cells together.

    Every analysis runs up to the point where it computes. When all have come to such a point (or to their end), all that they ask
    for is computed as one graph, in which equal reads are one read. So `quality`, `variable_genes` and `cohort_cube` of the same
    cells cost one pass over the counts rather than three. The values are those that the analyses give alone, to the bit.

    Parameters
    ----------
    analyses
        Functions without arguments, by any name: ``{"quality": lambda: quality(cells), ...}``.

    Returns
    -------
    Their results by name, in the order given.

    Raises
    ------
    ParameterError
        If something given is not a function.
    Exception
        What the first analysis (in the order given) raised; the others are run to their end before. Where a shared pass fails,
        its parts are computed one by one, so that only the analysis at fault fails.

    Notes
    -----
    Passes over the counts: as many as the analysis with the most. Memory: a block once, and the states of all analyses.

    Examples
    --------
    >>> import dask.array as da
    >>> from chemores_dask.stream.compute import compute
    >>> x = da.arange(4)
    >>> share_passes({"sum": lambda: int(compute(x.sum())[0]), "largest": lambda: int(compute(x.max())[0])})
    {'sum': 6, 'largest': 3}
    """
    values = [name for name, analysis in analyses.items() if not callable(analysis)]
    if values:
        message = f"share_passes needs functions without arguments. Got values for {listed(values)}; wrap each call in a lambda."
        raise ParameterError(message)
    meeting = _Meeting()
    parties = [_Party(meeting, analysis, number) for number, analysis in enumerate(analyses.values())]
    with shared_pass():
        meeting.hold(parties)
    for party in parties:
        if party.error is not None:
            raise party.error
    return {name: party.result for name, party in zip(analyses, parties, strict=True)}


class _Caught:
    """Keeps an error, to be raised where it belongs: in the thread of the caller, or in the analysis that asked."""

    error: BaseException | None = None

    def __enter__(self) -> _Caught:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self.error = error
        return isinstance(error, Exception)  # a person who interrupts is heard at once


@dataclass(eq=False)
class _Party:
    """One analysis in a thread of its own; only one of all runs at a time, the others wait."""

    meeting: _Meeting
    analysis: Callable[[], Any]
    number: int
    asked: tuple[Any, ...] = ()
    answer: tuple[Any, ...] = ()
    refusal: BaseException | None = None
    result: Any = None
    error: BaseException | None = None
    ended: bool = False
    turn: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        context = copy_context()
        threading.Thread(target=context.run, args=(self._run,), daemon=True, name=f"analysis-{self.number}").start()

    def _run(self) -> None:
        self.turn.wait()
        if self.meeting.over:
            return
        ASK.set(self._ask)
        try:
            with _Caught() as caught:
                self.result = self.analysis()
            self.error = caught.error
        finally:
            self.ended = True
            self.meeting.back.set()

    def _ask(self, collections: tuple[Any, ...]) -> tuple[Any, ...]:
        if not self.meeting.over:
            self.turn.clear()
        self.asked = collections
        self.meeting.back.set()
        self.turn.wait()
        if self.meeting.over:
            message = "A pass must be run to its end. Its caller was interrupted; run it again."
            raise InterruptedPassError(message)
        if self.refusal is not None:
            raise self.refusal
        return self.answer


class _Meeting:
    """Lets the parties run one after another until all wait or have ended, and computes what they asked for, in the caller's thread."""

    def __init__(self) -> None:
        self.back = threading.Event()
        self.over = False

    def hold(self, parties: list[_Party]) -> None:
        for party in parties:
            party.start()
        try:
            while running := [party for party in parties if not party.ended]:
                self._take_turns(running)
                _answer([party for party in running if not party.ended])
        finally:
            # Where a person interrupted the caller, the analyses must not wait for an answer that never comes.
            self.over = True
            for party in parties:
                party.turn.set()

    def _take_turns(self, parties: list[_Party]) -> None:
        for party in parties:
            self.back.clear()
            party.turn.set()
            self.back.wait()


def _answer(waiting: list[_Party]) -> None:
    with _Caught() as caught:
        values = compute(*(each for party in waiting for each in party.asked))
    if caught.error is not None:
        for party in waiting:
            _answer_alone(party)
        return
    start = 0
    for party in waiting:
        stop = start + len(party.asked)
        party.answer, party.refusal = values[start:stop], None
        start = stop


def _answer_alone(party: _Party) -> None:
    with _Caught() as caught:
        party.answer = compute(*party.asked)
    party.refusal = caught.error
