"""The head of the report."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chemores_dask.report.audit_section import TITLE, audit_dataset, audit_section, audit_sentence
from chemores_dask.report.document import write_report
from chemores_dask.workflow.record import AuditFinding, AuditRecord
from tests.report.example_run import example_audit, example_record, example_results
from tests.report.page_reading import read_page

CLEAN = replace(
    example_audit(),
    findings=(),
    checks=tuple(replace(check, status=check.status.replace("found", "clean")) for check in example_audit().checks),
)
NOTED = replace(CLEAN, findings=example_audit().findings[2:])


def test_audit_section__heads_the_report(tmp_path):
    page = read_page(write_report(example_record(), example_results(), path=tmp_path / "report.html"))
    text = " ".join(page.text.split())
    assert text.count(TITLE) == 2
    # Once among the contents, once right after the title, before anything else is said.
    assert (
        text.index(TITLE, text.index(TITLE) + 1)
        < text.index("The audit of the design found")
        < text.index("This run has")
    )
    assert text.index("unshared_batch") < text.index("few_cells") < text.index("descriptive_cells")


def test_audit_section__shows_severity_and_how_to_mend():
    section = audit_section(example_audit())
    page = read_page(str(section))
    assert [value for value in page.values("class") if value.startswith("badge")] == [
        "badge error",
        "badge warning",
        "badge note",
    ]
    assert [value for value in page.values("class") if value.startswith("count ")] == [
        "count error",
        "count warning",
        "count note",
    ]
    assert "To mend:" in page.text
    assert "Compare within a batch." in page.text
    # Notes are folded away, and so is what was looked at.
    assert page.tags.count("details") == 2
    assert str(section).index("<details>") < str(section).index("descriptive_cells")
    assert "3 of 4 checks had something to look at" in page.text


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            example_audit(),
            "The audit of the design found 1 error, 1 warning and 1 note. Read what follows in their light. 1 further check had nothing",
        ),
        (
            CLEAN,
            "Nothing found by the 3 checks that had something to look at: confounding, cells of samples, replicates.",
        ),
        (NOTED, "Nothing that must be mended, by the 3 checks"),
        (AuditRecord(), "Nothing found by the 0 checks that had something to look at: none."),
    ],
)
def test_audit_sentence__says_what_was_looked_at(found, words):
    assert audit_sentence(found).startswith(words)


def test_audit_section__says_that_there_was_no_audit():
    assert "was not audited" in audit_section(None)


def test_audit_section__escapes_what_comes_from_files():
    bad = "<script>alert(1)</script>"
    section = audit_section(AuditRecord(findings=(AuditFinding("few_cells", "error", bad, bad, bad),)))
    assert "<script" not in section


def test_audit_dataset__is_symmetric_and_keeps_what_is_unknown():
    found = audit_dataset(example_audit())
    strength = found["association_cramers_v"].values
    assert list(found["variable"].values) == ["stage", "batch", "subtype"]
    np.testing.assert_array_equal(strength, strength.T)
    assert np.isnan(strength[1, 2])
    assert found["association_counted"].values[1, 2] == "patients"
