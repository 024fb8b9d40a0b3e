from __future__ import annotations

import math

import pytest

from chemores_dask.workflow.record import ClaimOutcome


@pytest.mark.parametrize(("found", "holds"), [(1.0, True), (0.5, True), (2.0, True), (2.1, False), (math.nan, False)])
def test_claim_outcome__holds_within_its_interval(found, holds):
    outcome = ClaimOutcome("a", "b", expected=1.0, lower=0.5, upper=2.0, found=found, step="s", variable="v")
    assert outcome.holds is holds
