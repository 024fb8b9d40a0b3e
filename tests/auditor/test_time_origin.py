from __future__ import annotations

import pytest

from chemores_dask.auditor.study_design import PlannedModel, StudyDesign
from chemores_dask.auditor.time_origin import check_time_origin
from tests.auditor.designs import clean_samples


@pytest.mark.parametrize(
    ("origin", "known", "entry", "codes"),
    [
        ("diagnosis", "surgery", False, ["immortal_time"]),
        ("diagnosis", "surgery", True, []),
        ("surgery", "Surgery", False, []),
        ("diagnosis", "diagnosis", False, []),
    ],
)
def test_check_time_origin__time_must_not_begin_before_the_score(origin, known, entry, codes):
    model = PlannedModel("pfs", patients=70, events=32, terms=1, origin=origin, score_known=known, delayed_entry=entry)
    outcome = check_time_origin(StudyDesign(clean_samples(), models=(model,)))
    assert [finding.code for finding in outcome.findings] == codes
    assert outcome.applicable


@pytest.mark.parametrize("origin", ["", "diagnosis"])
def test_check_time_origin__says_when_nobody_says(origin):
    model = PlannedModel("pfs", patients=70, events=32, terms=1, origin=origin)
    assert not check_time_origin(StudyDesign(clean_samples(), models=(model,))).applicable
