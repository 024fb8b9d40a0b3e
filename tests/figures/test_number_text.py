"""Numbers and names as text."""

from __future__ import annotations

import math

import pytest

from chemores_dask.figures.number_text import count_text, number_text, p_sentence, p_text, share_text, shown_name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"),
        (0.0996, "0.10"),
        (0.05, "0.050"),
        (0.00195, "0.0019"),
        (0.001, "0.0010"),
        (0.0009999, "0.0010"),
        (0.00099, "9.9e-04"),
        (3.2e-5, "3.2e-05"),
        (1e-310, "< 1e-300"),
        (math.nan, "not available"),
    ],
)
def test_p_text__has_two_digits_and_an_exponent_when_small(value, text):
    assert p_text(value) == text


def test_p_sentence__never_says_equals_less():
    assert p_sentence(0.0) == "P < 1e-300"
    assert p_sentence(math.nan) == "P not available"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0995, "10 %"),
        (0.0994, "9.9 %"),
        (0.00949, "0.95 %"),
        (0.0, "0 %"),
        (0.9973, "99.7 %"),
        (0.99997, "> 99.9 %"),
        (1.0, "100 %"),
        (1e-6, "< 0.01 %"),
        (math.nan, "not available"),
    ],
)
def test_share_text__keeps_small_shares_readable(value, text):
    assert share_text(value) == text


def test_number_text__covers_all_sizes():
    assert [number_text(value) for value in (0.0, 99.94, 1e7, -math.inf, math.nan, 1e-4)] == [
        "0",
        "99.9",
        "1.00e+07",
        "−∞",
        "not available",
        "1.00e-04",
    ]


def test_count_text__separates_thousands():
    assert count_text(12345.4) == "12,345"
    assert count_text(math.inf) == "–"


def test_shown_name__takes_formulas_apart():
    assert shown_name("$x$ and\n\t$y$") == r"\$x\$ and \$y\$"
    assert "\\frac" not in shown_name(r"\frac{a}{b}")


def test_shown_name__replaces_what_the_font_lacks():
    assert shown_name("患者1") == "\ufffd\ufffd1"


def test_shown_name__keeps_both_ends_of_long_names():
    text = shown_name("patient-0001-" + "x" * 400 + "-relapse")
    assert len(text) == 28
    assert text.startswith("patient-0001")
    assert text.endswith("-relapse")
