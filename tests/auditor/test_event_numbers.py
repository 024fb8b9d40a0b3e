from __future__ import annotations

import pytest

from chemores_dask.auditor.event_numbers import check_events
from chemores_dask.auditor.study_design import PlannedModel, StudyDesign
from tests.auditor.designs import clean_samples


@pytest.mark.parametrize(
    ("events", "terms", "severity"), [(32, 3, None), (32, 4, 1), (20, 4, 1), (19, 4, 2), (0, 1, 2), (10, 1, None)]
)
def test_check_events__holds_events_against_terms(events, terms, severity):
    outcome = check_events(
        StudyDesign(clean_samples(), models=(PlannedModel("m", patients=70, events=events, terms=terms),))
    )
    assert [int(finding.severity) for finding in outcome.findings] == ([] if severity is None else [severity])
    assert all(finding.value == events / terms and finding.patients == 70 for finding in outcome.findings)
    assert f"{events} event" in outcome.looked_at
