"""The style sheet."""

from __future__ import annotations

from chemores_dask.report.page_style import STYLE


def test_style__needs_nothing_from_elsewhere():
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert "</" not in STYLE


def test_style__is_balanced_and_prints():
    assert STYLE.count("{") == STYLE.count("}")
    assert "@media print" in STYLE
    assert "@media (max-width" in STYLE
