from __future__ import annotations

import pytest

from chemores_dask.auditor.findings import CODES, Finding, Severity, nothing_to_check
from chemores_dask.errors import ParameterError


def test_finding__knows_its_codes():
    with pytest.raises(ParameterError, match=r"must be one of those in CODES\. Got 'bad'"):
        Finding("bad", Severity.NOTE, "a", "b", "c")
    assert Finding("few_cells", Severity.WARNING, "a", "b", "c").patients == 0


def test_codes__are_explained():
    assert all(code == code.lower() and len(meaning) > 15 for code, meaning in CODES.items())
    assert len(set(CODES.values())) == len(CODES)


def test_nothing_to_check__is_neither_clean_nor_not():
    outcome = nothing_to_check("depth", "no scores")
    assert not outcome.applicable
    assert outcome.findings == ()
