from __future__ import annotations

from chemores_dask.cli.audit_text import counts_sentence, show_findings
from chemores_dask.workflow.record import AuditCheck, AuditFinding, AuditRecord

FOUND = AuditRecord(
    findings=(
        AuditFinding("few_cells", "error", "s", "Too few\x1b[31m cells.", "Leave it out."),
        AuditFinding("blind_cutoff", "note", "s", "A cut.", "Freeze it."),
        AuditFinding("blind_cutoff", "note", "t", "A cut.", "Freeze it."),
    ),
    checks=(AuditCheck("depth", "not_applicable", "no scores"), AuditCheck("cells", "found", "cells")),
)


def test_counts_sentence__counts_by_severity():
    assert counts_sentence(FOUND) == "1 error, 2 notes by 1 of 2 checks; the others had nothing to look at."
    assert counts_sentence(AuditRecord()) == "nothing found by 0 of 0 checks."
    assert counts_sentence(AuditRecord(checks=FOUND.checks[1:])) == "nothing found by 1 of 1 checks."


def test_show_findings__is_safe_to_print_and_names_what_was_not_looked_at(capsys):
    show_findings(FOUND)
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert shown.startswith("ERROR  few_cells: Too few")
    assert "Not looked at: depth (no scores)." in shown
