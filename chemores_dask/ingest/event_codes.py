"""Events as registries write them: which entry of a column means that it happened."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from chemores_dask.checks import listed
from chemores_dask.errors import InputError

VOCABULARIES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "0/1": (("1",), ("0",)),
    "true/false": (("true", "t"), ("false", "f")),
    "yes/no": (("yes", "y"), ("no", "n")),
    "Dead/Alive": (("dead", "deceased", "died", "death"), ("alive", "living")),
    "Relapse/No relapse": (
        ("relapse", "relapsed", "recurrence", "recurred", "recurred/progressed", "progression", "progressed"),
        ("no relapse", "not relapsed", "no recurrence", "not recurred", "no progression", "progression free", "relapse free",
         "disease free", "diseasefree", "remission"),
    ),
    "Event/No event": (("event",), ("no event", "event free")),
}  # fmt: skip
"""What happened and what did not, by the name of the vocabulary; ``censored`` is understood in each."""

CENSORED = ("censored", "censor")
CODED = re.compile(r"^([01])\s*:\s*(.+)$")
KNOWN = (
    "0/1, true/false, yes/no, Dead/Alive, Deceased/Living, 1:DECEASED/0:LIVING, Relapse/No relapse or Event/Censored"
)


@dataclass(frozen=True)
class ReadEvents:
    """A column of events, understood.

    Attributes
    ----------
    happened
        Booleans, indexed as the column.
    coding
        How it was understood, for a person: ``1 is an event (27), 0 is not (238)``.
    """

    happened: pd.Series
    coding: str


def read_events(values: pd.Series, *, name: str, where: str, event_values: Sequence[str] = ()) -> ReadEvents:
    """Tell which entries of a column are events.

    All entries must come from one vocabulary, so that nothing is guessed: ``Alive`` beside ``Relapse`` may or may not be an event.

    Parameters
    ----------
    values
        Texts, none of them missing.
    name, where
        The column and the file, for the message.
    event_values
        Entries that are events, in any case; all others are not. Needed where the column does not speak for itself.

    Returns
    -------
    The events.

    Raises
    ------
    InputError
        If the entries do not say by themselves which are events, or a named value does not occur; the message names the values.

    Examples
    --------
    >>> read_events(pd.Series(["1:DECEASED", "0:LIVING"]), name="status", where="a table").happened.tolist()
    [True, False]
    >>> read_events(pd.Series(["1", "2", "2"]), name="status", where="a table", event_values=["2"]).coding
    '2 is an event (2), 1 is not (1)'
    """
    texts = values.map(_plain)
    understood = (
        _named(texts, event_values, name=name, where=where)
        if event_values
        else _understood(texts, name=name, where=where)
    )
    happened = understood.astype(bool)
    return ReadEvents(happened, _coding(values, happened))


def _plain(text: str) -> str:
    plain = re.sub(r"(?<=[a-z])[\s_-]+(?=[a-z])", " ", str(text).strip().lower())
    return re.sub(r"^([+-]?\d+)\.0+$", r"\1", plain)


def _named(texts: pd.Series, event_values: Sequence[str], *, name: str, where: str) -> pd.Series:
    wanted = {_plain(value) for value in event_values}
    absent = [value for value in event_values if _plain(value) not in set(texts)]
    if absent:
        message = (
            f"The value of an event must occur in the column {name!r} of {where}. Not there: {listed(absent)}; its values: "
            f"{_counted(texts)}."
        )
        raise InputError(message)
    return texts.isin(wanted)


def _understood(texts: pd.Series, *, name: str, where: str) -> pd.Series:
    coded = {text: CODED.match(text) for text in texts.unique()}
    if coded and all(coded.values()):
        return texts.map({text: _decoded(text, name=name, where=where) for text in coded})
    entries = set(texts) - set(CENSORED)
    for happened, not_happened in VOCABULARIES.values():
        if entries <= {*happened, *not_happened}:
            return texts.isin(happened)
    hint = "1 and 2 may stand for censored and event, or for two events; " if entries <= {"1", "2"} else ""
    message = (
        f"Events in the column {name!r} of {where} must all be written in one way: {KNOWN}. Found: {_counted(texts)}; {hint}"
        f"name the value or values that are events (--event-value VALUE)."
    )
    raise InputError(message)


def _decoded(text: str, *, name: str, where: str) -> bool:
    code, word = text.split(":", maxsplit=1)
    contradicted = [
        happened if code.strip() == "0" else not_happened for happened, not_happened in VOCABULARIES.values()
    ]
    if any(word.strip() in words for words in contradicted):
        message = (
            f"Codes and words in the column {name!r} of {where} must say the same. Found {text!r}; name the values that are events "
            "(--event-value VALUE)."
        )
        raise InputError(message)
    return code.strip() == "1"


def _counted(texts: pd.Series) -> str:
    return listed(f"{value!r} ({count})" for value, count in texts.value_counts().items())


def _coding(values: pd.Series, happened: pd.Series) -> str:
    said = []
    for rows, words in ((happened, ("is an event", "are events")), (~happened, ("is not", "are not"))):
        counts = values[rows].str.strip().value_counts()
        if len(counts):
            shown = listed(f"{value} ({count:,})" for value, count in counts.items())
            said.append(f"{shown} {words[len(counts) > 1]}" if len(counts) > 1 else _single(counts, words[0]))
    return ", ".join(said)


def _single(counts: pd.Series, words: str) -> str:
    return f"{counts.index[0]} {words} ({counts.iloc[0]:,})"
