"""What an expert would object to in the two studies themselves, from their published designs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from chemores_dask.auditor.design_audit import audit
from chemores_dask.auditor.study_design import (
    Material,
    PlannedContrast,
    PlannedFamily,
    PlannedModel,
    PlannedTest,
    ScoredDepth,
    ScoredOutcome,
    SignatureUse,
    StudyDesign,
)
from tests.auditor.designs import STAGES, codes_of
from tests.auditor.tall_study import STEM_LIKE, TYPE_1, TYPE_2, tall_samples

TALL = tall_samples()
EXPANSION = replace(STAGES, formula="")
TYPES = PlannedContrast("relapse_type", "type-1", "type-2")
CHEMOTHERAPY = PlannedContrast("stage", "pre", "post", paired=True)
PAIRS = pd.DataFrame({"sample": list("abcdef"), "patient": list("AABBCC"), "stage": ["pre", "post"] * 3, "cells": 2712})
UNPAIRED = pd.DataFrame(
    {"sample": list("abcde"), "patient": list("ABCDE"), "stage": ["pre", "pre", "post", "post", "post"]}
)


def test_leukemia__expansion_over_patients_names_those_without_relapse_only():
    design = StudyDesign(TALL, tests=(PlannedTest("expansion", kind="sign_flip", contrast=EXPANSION),))
    found = audit(design)
    assert found["planned_units"].values.tolist() == [13]
    assert found["planned_minimum_p_value"].values[0] == pytest.approx(2 / 2**13)
    assert codes_of(design) == [*["associated_variables"] * 3, "unpaired_patients"]
    subjects = set(found["finding_subject"].values[found["finding_code"].values == "associated_variables"])
    assert subjects == {"batch and subtype", "batch and tal1", "batch and relapse_type"}


def test_leukemia__type_is_aliased_with_batch_and_its_test_can_be_significant():
    margins = ((len(TYPE_2), len(TYPE_1)), (sum(name in STEM_LIKE for name in (*TYPE_2, *TYPE_1)), 5))
    test = PlannedTest("types", kind="fisher", contrast=TYPES, margins=margins)
    design = StudyDesign(TALL[TALL["stage"] == "diagnosis"], tests=(test,))
    assert "uninformative_batch" in codes_of(design)
    assert audit(design)["planned_minimum_p_value"].values[0] < 0.032


def test_leukemia__proportion_tests_over_pooled_cells():
    design = StudyDesign(
        TALL[["sample", "patient", "stage", "cells"]], tests=(PlannedTest("scProportionTest", unit="cell"),)
    )
    assert codes_of(design) == ["cells_as_replicates"]


def test_leukemia__snakepool_repeats():
    design = StudyDesign(TALL[["sample", "patient"]], tests=(PlannedTest("snakepool", unit="pool", sizes=(50,)),))
    assert codes_of(design) == ["overlapping_pools"]


def test_leukemia__state_defines_the_score_that_defines_the_state():
    cells = tuple(f"P2:{number}" for number in range(50))
    use = SignatureUse(
        "stemness",
        derivation=Material(("P2",), cells, ("cluster",)),
        test=Material(("P2", "P4"), (*cells, "P4:0"), ("cluster",)),
        cutoff=Material(("P2", "P4")),
        cutoff_rule="chosen",
    )
    codes = codes_of(StudyDesign(TALL[["sample", "patient"]], signatures=(use,)))
    assert codes == ["cutoff_from_tested_patients", "tested_on_derivation_cells"]


def test_leukemia__bulk_scores_of_raw_counts_follow_depth():
    # The mean of a few genes minus that of their controls, on counts that were not normalized.
    generator = np.random.default_rng(1336)
    depth = generator.lognormal(16, 0.5, 400)
    rate = generator.gamma(2.0, 1.0, (400, 20)) * 1e-5
    signature, control = generator.poisson(rate * 3 * depth[:, None]), generator.poisson(rate[::-1] * depth[:, None])
    score = signature.mean(axis=1) - control.mean(axis=1)
    normalized = np.log1p(1e6 * signature / depth[:, None]).mean(axis=1)
    raw, clean = (
        StudyDesign(TALL[["sample"]], depths=(ScoredDepth("stemness", values, depth),))
        for values in (score, normalized)
    )
    assert codes_of(raw) == ["depth_correlation"]
    assert codes_of(clean) == []


def test_leukemia__five_drugs_without_correction():
    drugs = ("cytarabine", "FX1", "venetoclax", "S-63845", "A-1331852")
    tests = tuple(PlannedTest(name, kind="paired_t", sizes=(7 if name == "cytarabine" else 6,)) for name in drugs)
    assert codes_of(StudyDesign(TALL[["sample"]], tests=tests)) == ["undeclared_family"]


def test_osteosarcoma__three_pairs_and_two_against_three():
    paired = PlannedTest("composition", kind="sign_flip", contrast=CHEMOTHERAPY)
    assert codes_of(StudyDesign(PAIRS, tests=(paired,))) == ["unattainable_p_value"]
    unpaired = PlannedTest("score", kind="rank_sum", contrast=replace(CHEMOTHERAPY, paired=False))
    found = audit(StudyDesign(UNPAIRED, tests=(unpaired,)))
    assert found["finding_code"].values.tolist() == ["unattainable_p_value"]
    assert found["planned_minimum_p_value"].values.tolist() == [0.2]


def test_osteosarcoma__wilcoxon_over_33845_cells():
    cells = UNPAIRED.assign(cells=33_845 // 5)
    test = PlannedTest("nine genes", kind="rank_sum", unit="cell", contrast=replace(CHEMOTHERAPY, paired=False))
    found = audit(StudyDesign(cells, tests=(test,)))
    assert "cells_as_replicates" in found["finding_code"].values
    assert "33,845 cells of 5 patients" in " ".join(found["finding_text"].values)


def test_osteosarcoma__signature_from_the_stages_that_validate_it():
    use = SignatureUse(
        "nine genes",
        derivation=Material(("A", "B", "C"), labels=("stage",)),
        test=Material(("A", "B"), labels=("stage",)),
    )
    assert codes_of(StudyDesign(PAIRS, signatures=(use,))) == ["tested_on_derivation_patients"]
    others = replace(use, test=Material(("X", "Y"), labels=("stage",)))
    assert codes_of(StudyDesign(PAIRS, signatures=(others,))) == []


def test_osteosarcoma__score_after_chemotherapy_and_time_from_diagnosis():
    model = PlannedModel("PFS", patients=70, events=32, terms=1, origin="diagnosis", score_known="surgery")
    assert codes_of(StudyDesign(PAIRS, models=(model,))) == ["immortal_time"]
    adjusted = replace(model, score_known="", terms=5)
    assert codes_of(StudyDesign(PAIRS, models=(adjusted,))) == ["few_events"]


def test_osteosarcoma__scanned_cutoff_and_198_drugs():
    use = SignatureUse("resistance", test=Material(("A",)), cutoff=Material(("A",)), cutoff_rule="scanned")
    drugs = PlannedTest("drugs", tests=198, family="drugs")
    design = StudyDesign(PAIRS, tests=(drugs,), families=(PlannedFamily("drugs", "none"),), signatures=(use,))
    assert codes_of(design) == ["scanned_cutoff", "uncorrected_family"]


def test_osteosarcoma__ten_patients_without_a_response():
    score = np.random.default_rng(2).normal(size=70)
    design = StudyDesign(PAIRS, outcomes=(ScoredOutcome("necrosis", score, np.arange(70) < 60),))
    assert codes_of(design, least=0) == ["missing_outcomes"]
