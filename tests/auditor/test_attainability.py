from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chemores_dask.auditor.attainability import check_attainable, planned_sizes
from chemores_dask.auditor.study_design import PlannedFamily, PlannedTest, StudyDesign
from tests.auditor.designs import STAGES, SUBTYPES, clean_samples

SAMPLES = clean_samples()


def look(*tests, families=(), samples=SAMPLES):
    outcome, reaches = check_attainable(StudyDesign(samples, tests=tests, families=families))
    return [finding.code for finding in outcome.findings], [reach.p_value for reach in reaches]


def test_check_attainable__of_three_pairs_is_a_quarter():
    assert look(PlannedTest("share", kind="sign_flip", sizes=(3,))) == (["unattainable_p_value"], [0.25])
    assert look(PlannedTest("share", kind="signed_rank", sizes=(6,))) == ([], [0.03125])


def test_check_attainable__of_two_against_three_samples_is_a_fifth():
    assert look(PlannedTest("score", kind="rank_sum", sizes=(2, 3))) == (["unattainable_p_value"], [0.2])


def test_check_attainable__of_fisher_follows_the_margins():
    codes, values = look(PlannedTest("types", kind="fisher", sizes=(8, 5), margins=((8, 5), (8, 5))))
    assert (codes, values) == ([], [pytest.approx(1 / 1287)])
    codes, values = look(PlannedTest("rare", kind="fisher", sizes=(8, 5), margins=((8, 5), (1, 12))))
    assert (codes, values) == (["unattainable_p_value"], [pytest.approx(5 / 13)])


def test_check_attainable__knows_bonferroni_and_no_other_correction():
    test = PlannedTest("share", kind="sign_flip", sizes=(7,), family="many")
    assert look(test, families=(PlannedFamily("many", "bonferroni", tests=10),))[0] == ["unattainable_p_value"]
    assert look(test, families=(PlannedFamily("many", "holm", tests=10),))[0] == []
    many = replace(test, family="", tests=10, correction="bonferroni")
    assert look(many)[0] == ["unattainable_p_value"]
    assert look(replace(many, correction="benjamini_hochberg"))[0] == []


def test_check_attainable__one_patient_is_too_few_for_any_test():
    assert look(PlannedTest("a", kind="model", sizes=(1, 8)))[0] == ["too_few_patients"]
    assert look(PlannedTest("a", kind="sign_flip", sizes=(1,)))[0] == ["too_few_patients"]
    assert look(PlannedTest("a", kind="sign_flip", sizes=(0,)))[0] == ["too_few_patients"]


def test_planned_sizes__are_counted_in_patients():
    design = StudyDesign(SAMPLES[SAMPLES["sample"] != "P00_relapse"])
    assert planned_sizes(design, PlannedTest("a", kind="sign_flip", contrast=STAGES)) == (7,)
    assert planned_sizes(design, PlannedTest("a", kind="rank_sum", contrast=SUBTYPES)) == (4, 4)
    assert planned_sizes(design, PlannedTest("a", contrast=SUBTYPES, sizes=(2, 2))) == (2, 2)
    assert planned_sizes(design, PlannedTest("a")) == ()


def test_check_attainable__says_when_it_knows_no_sizes():
    outcome, reaches = check_attainable(StudyDesign(SAMPLES, tests=(PlannedTest("a", kind="log_rank"),)))
    assert not outcome.applicable
    assert outcome.looked_at == "no test says how many patients it has"
    assert np.isnan(reaches[0].p_value)
    assert check_attainable(StudyDesign(SAMPLES))[0].looked_at == "no tests are planned"
