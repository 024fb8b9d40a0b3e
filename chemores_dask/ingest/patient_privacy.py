"""What must not be in a clinical table: columns that look as if they told who the patients are."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from chemores_dask.checks import check_columns
from chemores_dask.errors import PrivacyError

MONTHS = (
    r"(jan(uary|uar)?|feb(ruary|ruar)?|mar(ch)?|mär(z)?|mrz|apr(il)?|may|mai|june?|juni|july?|juli|aug(ust)?"
    r"|sept?(ember)?|o[ck]t(ober)?|nov(ember)?|de[cz](ember)?)"
)

NAMES_OF_COLUMNS = {
    "names": (
        # Drugs, genes and centers have names, too; those of persons stand alone or say so.
        r"^names?$|\b(sur|fore|nach|vor|familien|geburts|maiden)name",
        r"\b(last|first|middle|family|given|full|maiden|patient|patienten|subject|mother|father|contact|guardian) ?s? ?names?\b",
        r"\bname (last|first|of|des|der)\b|\binitials\b|\binitialen\b|\bnext of kin\b",
    ),
    "dates of birth": (
        r"\bdob\b|\bborn\b|\bgeb\b|\bgeboren\b|^birth$|\bgeb(urts)? ?(dat|datum|tag)\b",
        r"\bbirth ?(date|day|dt)s?\b|\bdate (of )?birth\b|\bdt birth\b",
    ),
    "record numbers": (
        r"\bmrns?\b|\bssn\b|\bnhs\b|\bkvnr\b|\biban\b|\bpassport\b|\breisepass|\bmedicare\b|\bmedicaid\b|\bnational ?id\b",
        r"\b(medical|health|patient|hospital|chart) ?records?\b|\brecord ?(number|num|no|nr)\b|\bsocial ?security",
        r"\b(hospital|chart|account|insurance|policy|license|health plan) ?(number|num|no|nr)\b|\binsurance ?id\b",
        r"\b(fall|akten?|krankenakten|steuer|ausweis|personalausweis|konto|kranken)(nummer|nr| nr| nummer)\b",
        r"aktenzeichen|krankenakte|versich(erungs|erten)? ?(nummer|nr)|sozialversich|\bkennzeichen\b",
    ),
    "addresses": (
        r"\b(address(es)?|street|city|town|residence|zip|plz|wohnort|ort|stadt|geburtsort|hausn(umme)?r)\b",
        r"\bzip ?codes?\b|\bpost(al)? ?(codes?|leitzahl)\b|\bpostal\b|\w*adresse\b|\w*anschrift\b|stra(ss|ß)e\b",
        r"\bbirth ?place\b|\bplace of birth\b|\blatitude\b|\blongitude\b",
    ),
    "e-mail addresses": (r"\be ?mails?\b|\bmail\b",),
    "telephone numbers": (
        r"\b(tele|cell|mobile|home|work)? ?phones?\b|\btel\b|\bfax\b|\bfaxn|telefon|\bhandy|\bmobile\b|\bmobil(nummer|telefon)|rufnummer",
    ),
}
"""Patterns for the name of a column, its words in small letters with single blanks between them."""

ANYWHERE = {
    "dates": (
        r"\b(18|19|20)\d\d([-/.])\d{1,2}\2\d{1,2}(?!\d)",
        r"\b(0?[1-9]|[12]\d|3[01])([-/.])(0?[1-9]|[12]\d|3[01])\2(18|19|20)\d\d\b",
        rf"\b\d{{1,2}}(st|nd|rd|th)?[-. ]{{0,2}}{MONTHS}[-., ]{{0,2}}(18|19|20)?\d\d\b",
        rf"\b{MONTHS}[. ]{{1,2}}\d{{1,2}}(st|nd|rd|th)?,? (18|19|20)\d\d\b",
    ),
    "e-mail addresses": (r"[\w.+-]+@[\w-]+(\.[\w-]+)+",),
    "telephone numbers": (r"(?<![\w.])\+\d{1,3}[ ()/-]*\d([ ()/-]?\d){6,13}\b", r"\(\d{2,5}\) ?\d{2,4}[- ]?\d{3,}"),
    "social security numbers": (r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])",),
}
"""Patterns that no entry may contain."""

WHOLE = {
    "dates": (
        r"([1-9]|0[1-9]|1[0-2])([-/.])([1-9]|0[1-9]|[12]\d|3[01])\2\d\d",
        r"([1-9]|0[1-9]|[12]\d|3[01])([-/.])([1-9]|0[1-9]|1[0-2])\2\d\d",
        r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])",
    ),
    "telephone numbers": (r"0\d{1,5}[ /-]\d{3,}([ -]?\d+)*", r"\d{3}[-. ]\d{3}[-. ]\d{4}"),
    "long numbers": (r"\d{7,}",),
    "names": (r"[A-ZÄÖÜ][\w'’-]*[a-zäöüß], ?[A-ZÄÖÜ][\w'’-]*[a-zäöüß]( [A-ZÄÖÜ][\w'’.-]*)?",),
}
"""Patterns that at least half of the entries may not be, each of them another."""

FULL_NAME = r"[^\W\d_a-z][^\W\d_A-Z]+( [^\W\d_a-z]\.?)? [^\W\d_a-z][\w'’-]*[^\W\d_A-Z]"
FEWEST_NAMES = 5
"""At least half of the entries may not look like this where no entry occurs twice and there are at least so many; diagnoses recur."""

PERIOD_WORDS = ("days", "day", "tage", "year", "years", "yr", "jahr", "weight", "order", "to")
"""Words that make a column with a birth in its name a period, a year or a weight."""


def check_privacy(table: pd.DataFrame, *, allow: Sequence[str] = ()) -> None:
    """Refuse a clinical table with columns that look as if they told who the patients are.

    Columns are judged by their names (English and German) and by what their entries look like, the column that names
    the patients among them. It is a net for accidents, not a proof that a table is anonymous.

    Parameters
    ----------
    table
        Clinical table, as texts or with types of its own; the names of patients as a column.
    allow
        Columns that are taken nevertheless, by name.

    Returns
    -------
    Nothing; the table may be used.

    Raises
    ------
    PrivacyError
        Naming the columns and what they look like, never an entry.
    MissingVariableError
        If a column that is allowed is absent.

    Examples
    --------
    >>> check_privacy(pd.DataFrame({"patient": ["P1", "P2"], "days_to_birth": ["-7000", "-6000"]}))
    >>> identifying_columns(pd.DataFrame({"MRN": ["1", "2"], "contact": ["a@b.org", ""]}))
    {'MRN': 'record numbers', 'contact': 'e-mail addresses'}
    """
    check_columns(table, allow, what="the clinical table", caller="check_privacy")
    found = {name: kind for name, kind in identifying_columns(table).items() if name not in set(allow)}
    if not found:
        return
    columns = "; ".join(f"{name!r} looks like {kind}" for name, kind in found.items())
    dates = (
        " Calendar dates of follow-up can become days from an origin (--origin)." if "dates" in found.values() else ""
    )
    message = (
        f"A clinical table must not tell who the patients are. {columns}. Remove the columns.{dates} What is no "
        f"identifier is allowed by name: allow={list(found)!r}, on the command line "
        f"{' '.join(f'--allow-column {_quoted(name)}' for name in found)}."
    )
    raise PrivacyError(message)


def identifying_columns(table: pd.DataFrame) -> dict[str, str]:
    """Find the columns that look as if they told who the patients are.

    Parameters
    ----------
    table
        Clinical table, as texts or with types of its own.

    Returns
    -------
    What each of these columns looks like, in the order of the table.
    """
    kinds = {str(name): _kind_by_name(str(name)) or _kind_by_entries(table[name]) for name in table.columns}
    return {name: kind for name, kind in kinds.items() if kind is not None}


def _kind_by_name(name: str) -> str | None:
    words = re.findall(r"[^\W\d_]+|\d+", re.sub(r"(?<=[a-zäöüß])(?=[A-ZÄÖÜ])", " ", name))
    text = " ".join(words).lower()
    for kind, patterns in NAMES_OF_COLUMNS.items():
        period = kind == "dates of birth" and any(word in PERIOD_WORDS for word in text.split())
        if not period and any(re.search(pattern, text) for pattern in patterns):
            return kind
    return None


def _kind_by_entries(values: pd.Series) -> str | None:
    if pd.api.types.is_datetime64_any_dtype(values):
        return "dates"
    texts = _distinct_texts(values)
    if not len(texts):
        return None
    for kind, patterns in ANYWHERE.items():
        if any(_contains(texts, pattern).any() for pattern in patterns):
            return kind
    repeated = int(_present(values).sum()) > 2 * len(texts)
    for kind, patterns in WHOLE.items():
        matched = np.any([texts.str.fullmatch(pattern).to_numpy(dtype=bool) for pattern in patterns], axis=0)
        if not repeated and 2 * int(matched.sum()) >= len(texts):
            return kind
    alone = int(_present(values).sum()) == len(texts) >= FEWEST_NAMES
    if alone and 2 * int(texts.str.fullmatch(FULL_NAME).sum()) >= len(texts):
        return "names"
    return None


def _contains(texts: pd.Series, pattern: str) -> pd.Series:
    compiled = re.compile(pattern, re.IGNORECASE)
    return texts.map(lambda text: compiled.search(text) is not None)


def _present(values: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values):
        return values.notna()
    return values.notna() & (values.astype(str).str.strip() != "")


def _distinct_texts(values: pd.Series) -> pd.Series:
    given = values[_present(values)]
    if pd.api.types.is_bool_dtype(given):
        return pd.Series([], dtype=object)
    if pd.api.types.is_float_dtype(given):
        given = given[np.isfinite(given)]
        # Measurements have fractions; identifiers that were read as numbers have none.
        given = (
            given.astype(np.int64) if (given == np.floor(given)).all() and (given.abs() < 2**62).all() else given[:0]
        )
    return pd.Series(given.astype(str).str.strip().unique(), dtype=object)


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w.-]+", name) else f"'{name}'"
