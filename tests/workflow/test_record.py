from __future__ import annotations

import math

import pytest

from chemores_dask.workflow.record import AuditCheck, AuditFinding, AuditRecord, ClaimOutcome


@pytest.mark.parametrize(("found", "holds"), [(1.0, True), (0.5, True), (2.0, True), (2.1, False), (math.nan, False)])
def test_claim_outcome__holds_within_its_interval(found, holds):
    outcome = ClaimOutcome("a", "b", expected=1.0, lower=0.5, upper=2.0, found=found, step="s", variable="v")
    assert outcome.holds is holds


def test_audit_record__counts_by_severity():
    findings = [AuditFinding("code", severity, "s", "Text.", "Mend.") for severity in ("error", "note", "note")]
    assert AuditRecord(tuple(findings)).counts == ("1 error", "2 notes")
    assert AuditRecord().counts == ()
    assert [AuditCheck("c", status, "").looked for status in ("clean", "found", "not_applicable")] == [
        True,
        True,
        False,
    ]
