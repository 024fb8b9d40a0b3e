"""Numbers and names as people read them in a picture or a table."""

from __future__ import annotations

import math
from functools import cache

from matplotlib.font_manager import FontProperties, findfont, get_font

LONGEST_NAME = 28
MISSING = "not available"
TINY = 1e-300


def count_text(value: float) -> str:
    """A whole number with thousands separators.

    Parameters
    ----------
    value
        A number of things; not a number gives a dash.

    Returns
    -------
    Text.

    Examples
    --------
    >>> count_text(1234567)
    '1,234,567'
    """
    return "–" if not math.isfinite(value) else f"{round(value):,}"


def number_text(value: float) -> str:
    """A measured number with three significant digits.

    Parameters
    ----------
    value
        Any number.

    Returns
    -------
    Text, with an exponent only below 0.001 and from ten million on.

    Examples
    --------
    >>> [number_text(value) for value in (1.23456, 0.000123, 12345.6, -0.5)]
    ['1.23', '1.23e-04', '12,346', '−0.5']
    """
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if size == 0:
        return "0"
    if size < 1e-3 or size >= 1e7:
        text = f"{size:.2e}"
    elif size >= 100:
        text = f"{size:,.0f}"
    else:
        text = f"{size:.3g}"
    return f"−{text}" if value < 0 else text


def share_text(value: float) -> str:
    """A share from 0 to 1 as a percentage.

    Parameters
    ----------
    value
        The share.

    Returns
    -------
    Text; one decimal below 10 %, and two below 1 %. Only all is 100 %: what is just below keeps a decimal.

    Examples
    --------
    >>> [share_text(value) for value in (0.014, 0.26, 0.0008, 0.9973, 1.0)]
    ['1.4 %', '26 %', '0.08 %', '99.7 %', '100 %']
    """
    if not math.isfinite(value):
        return MISSING
    percent = 100 * value
    if percent and abs(percent) < 0.01:
        return "< 0.01 %"
    if 99.5 <= percent < 100:
        return f"{percent:.1f} %" if percent < 99.95 else "> 99.9 %"
    digits = 0 if abs(percent) >= 9.95 or percent == 0 else 1 if abs(percent) >= 0.95 else 2
    return f"{percent:.{digits}f} %"


def p_text(value: float) -> str:
    """A P value: two significant digits, with an exponent below 0.001.

    Parameters
    ----------
    value
        The P value, or not a number where there is none.

    Returns
    -------
    Text.

    Examples
    --------
    >>> [p_text(value) for value in (0.0000321, 0.0123, 0.5, 1.0, float("nan"), 0.0)]
    ['3.2e-05', '0.012', '0.50', '1.0', 'not available', '< 1e-300']
    """
    if math.isnan(value):
        return MISSING
    if value < TINY:
        return "< 1e-300"
    if value < 9.995e-4:
        return f"{value:.1e}"
    return f"{value:#.2g}"


def p_sentence(value: float) -> str:
    """``P = 0.012`` and the like.

    Parameters
    ----------
    value
        The P value.

    Returns
    -------
    Text.

    Examples
    --------
    >>> p_sentence(0.0), p_sentence(0.04)
    ('P < 1e-300', 'P = 0.040')
    """
    text = p_text(value)
    return f"P {text}" if text.startswith("<") else f"P {text}" if text == MISSING else f"P = {text}"


def shown_name(name: object, *, longest: int = LONGEST_NAME) -> str:
    """A name from a file as it may stand in a picture.

    Dollar signs would start a formula, and characters that the font lacks would raise warnings; the first are escaped, the others
    replaced. Long names lose their middle, since beginnings and ends tell samples apart.

    Parameters
    ----------
    name
        The name.
    longest
        Number of characters kept.

    Returns
    -------
    Text for matplotlib.

    Examples
    --------
    >>> shown_name("patient 1, diagnosis, second library", longest=20)
    'patient 1,…d library'
    """
    text = " ".join(str(name).split())
    if len(text) > longest:
        head = longest // 2
        text = f"{text[:head]}…{text[len(text) - (longest - head - 1) :]}"
    text = "".join(character if _drawable(character) else "\N{REPLACEMENT CHARACTER}" for character in text)
    return text.replace("\\", "\N{REVERSE SOLIDUS OPERATOR}").replace("$", r"\$")


@cache
def _drawable(character: str) -> bool:
    return ord(character) in _characters()


@cache
def _characters() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())
