from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from chemores_dask.auditor.missing_outcomes import check_outcomes
from chemores_dask.auditor.study_design import ScoredOutcome, StudyDesign
from tests.auditor.designs import clean_samples


def look(score, known):
    return check_outcomes(StudyDesign(clean_samples(), outcomes=(ScoredOutcome("necrosis", score, known),)))


def test_check_outcomes__notes_who_is_missing():
    # 70 patients, 60 of them with a response, as in the osteosarcoma study.
    score = np.random.default_rng(1).normal(size=70)
    outcome = look(score, np.arange(70) < 60)
    (finding,) = outcome.findings
    assert (finding.code, int(finding.severity), finding.patients) == ("missing_outcomes", 0, 10)
    assert "not known for 10 of 70 patients" in finding.text
    assert outcome.looked_at == "necrosis (60 of 70 known)"


def test_check_outcomes__warns_where_it_goes_with_the_score():
    score, known = np.arange(30.0), np.arange(30) < 22
    (finding,) = look(score, known).findings
    assert finding.code == "missing_by_score"
    assert finding.value == pytest.approx(mannwhitneyu(score[~known], score[known]).pvalue)
    assert "scores are higher" in finding.text
    assert "scores are lower" in look(-score, known).findings[0].text


@pytest.mark.parametrize(
    ("score", "known"),
    [(np.ones(10), np.arange(10) < 5), (np.full(10, np.nan), np.arange(10) < 5), (np.arange(10.0), np.zeros(10, bool))],
)
def test_check_outcomes__without_a_comparison_only_counts(score, known):
    (finding,) = look(score, known).findings
    assert finding.code == "missing_outcomes"
    assert "P =" not in finding.text
