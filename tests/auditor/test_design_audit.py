"""Every seeded defect is caught by exactly its code, and a clean design is silent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chemores_dask as cd
from chemores_dask.auditor.design_audit import RESULT, audit
from chemores_dask.auditor.findings import CODES
from chemores_dask.auditor.study_design import (
    Material,
    PlannedContrast,
    PlannedFamily,
    PlannedModel,
    PlannedTest,
    ScoredDepth,
    ScoredOutcome,
    StudyDesign,
)
from chemores_dask.errors import InputError
from chemores_dask.results_spec import check_result
from chemores_dask.store.results import open_result, write_result
from tests.auditor.designs import (
    GENES,
    STAGES,
    clean_design,
    codes_of,
    statuses_of,
    with_samples,
    with_signature,
)

DESIGN = clean_design()
SAMPLES = DESIGN.samples
NAMES = tuple(sorted(set(SAMPLES["patient"])))
STAGES_ALONE = replace(STAGES, formula="")
TAL1_PATIENTS = sorted(set(SAMPLES["patient"][SAMPLES["subtype"] == "TAL1"]))


def with_test(**changes):
    return replace(DESIGN, tests=(replace(DESIGN.tests[0], **changes), *DESIGN.tests[1:]))


def without_pairs(number):
    kept = ~(SAMPLES["patient"].isin(NAMES[:number]) & (SAMPLES["stage"] == "relapse"))
    return replace(DESIGN, samples=SAMPLES[kept.to_numpy()])


def few_pairs(number):
    samples = SAMPLES[SAMPLES["patient"].isin(NAMES[:number]).to_numpy()]
    return StudyDesign(samples, tests=(PlannedTest("expansion", kind="sign_flip", contrast=STAGES),))


def twice_sequenced():
    again = SAMPLES[(SAMPLES["sample"] == "P00_relapse").to_numpy()].assign(sample="P00_relapse_again")
    design = with_test(unit="sample")
    return replace(design, samples=pd.concat([SAMPLES, again], ignore_index=True))


def moving_batches():
    # The first patients go from batch A to B, the others from B to C: B holds both stages, and yet batch and patient tell the stage.
    early = SAMPLES["patient"].isin(NAMES[:4]).to_numpy()
    late = (SAMPLES["stage"] == "relapse").to_numpy()
    batch = np.where(early, np.where(late, "B", "A"), np.where(late, "C", "B"))
    return StudyDesign(SAMPLES[["sample", "patient", "stage"]].assign(batch=batch), contrasts=(STAGES_ALONE,))


def deep_score():
    depth = DESIGN.depths[0]
    score = np.log(depth.total) + np.random.default_rng(3).normal(0, 0.3, depth.total.size)
    return replace(DESIGN, depths=(ScoredDepth("stemness", score, depth.total, depth.patients),))


def missing_by_score():
    score = np.arange(70.0)
    return replace(DESIGN, outcomes=(ScoredOutcome("necrosis", score, score < 60),))


def swapped():
    wrong = (SAMPLES["sample"] == "P00_relapse").to_numpy()
    female = SAMPLES["xist_counts"].to_numpy().copy()
    male = SAMPLES["y_counts"].to_numpy().copy()
    female[wrong], male[wrong] = male[wrong], female[wrong]
    return with_samples(DESIGN, xist_counts=female, y_counts=male)


SEEDED = {
    "cells_as_replicates": lambda: with_test(unit="cell"),
    "samples_as_replicates": twice_sequenced,
    "overlapping_pools": lambda: with_test(unit="pool", sizes=(25,), contrast=None),
    "unpaired_patients": lambda: without_pairs(1),
    "no_pairs": lambda: StudyDesign(SAMPLES.assign(patient=SAMPLES["sample"]), contrasts=(STAGES_ALONE,)),
    "absent_values": lambda: replace(DESIGN, contrasts=(PlannedContrast("stage", "diagnosis", "remission"),)),
    "pairing_ignored": lambda: replace(DESIGN, contrasts=(PlannedContrast("stage", "diagnosis", "relapse"),)),
    "too_few_patients": lambda: few_pairs(1),
    "unattainable_p_value": lambda: few_pairs(5),
    "aliased_design": lambda: replace(DESIGN, contrasts=(replace(STAGES, formula="~ patient + subtype + stage"),)),
    "aliased_contrast": moving_batches,
    "unshared_batch": lambda: with_samples(DESIGN, batch=SAMPLES["stage"].map({"diagnosis": "A", "relapse": "B"})),
    "uninformative_batch": lambda: with_samples(
        DESIGN, batch=np.where(SAMPLES["patient"].isin(TAL1_PATIENTS[:3]), "old", "new")
    ),
    "associated_variables": lambda: with_samples(
        DESIGN, tissue=SAMPLES["stage"].map({"diagnosis": "marrow", "relapse": "blood"})
    ),
    "few_events": lambda: replace(DESIGN, models=(PlannedModel("survival", patients=120, events=29, terms=3),)),
    "undeclared_family": lambda: replace(
        DESIGN, tests=tuple(replace(test, family="") for test in DESIGN.tests), families=()
    ),
    "uncorrected_family": lambda: replace(DESIGN, families=(PlannedFamily("primary", "none"),)),
    "tested_on_derivation_cells": lambda: with_signature(DESIGN, derivation=Material((NAMES[0],), (f"{NAMES[0]}:c1",))),
    "tested_on_derivation_patients": lambda: with_signature(DESIGN, derivation=Material((NAMES[0], "Q1"))),
    "tested_on_derivation_labels": lambda: with_signature(DESIGN, derivation=Material(labels=("stage",))),
    "cutoff_from_tested_patients": lambda: with_signature(DESIGN, cutoff=Material(NAMES), cutoff_rule="chosen"),
    "scanned_cutoff": lambda: with_signature(DESIGN, cutoff=Material(NAMES), cutoff_rule="scanned"),
    "missing_genes": lambda: with_signature(DESIGN, measured=frozenset(GENES[:3])),
    "too_few_genes": lambda: with_signature(DESIGN, measured=frozenset(GENES[:1])),
    "ribosomal_genes": lambda: with_signature(DESIGN, genes=(*GENES, "RPS27"), measured=frozenset((*GENES, "RPS27"))),
    "mangled_gene_names": lambda: with_signature(DESIGN, genes=(*GENES, "1-Mar")),
    "depth_correlation": deep_score,
    "missing_by_score": missing_by_score,
    "immortal_time": lambda: replace(
        DESIGN, models=(replace(DESIGN.models[0], origin="diagnosis", score_known="surgery"),)
    ),
    "imbalanced_cells": lambda: with_samples(
        DESIGN, cells=np.where(np.arange(len(SAMPLES)) == 3, 20_000, SAMPLES["cells"])
    ),
    "few_cells": lambda: with_samples(DESIGN, cells=np.where(np.arange(len(SAMPLES)) == 3, 4, SAMPLES["cells"])),
    "swapped_sample": swapped,
}
NOTES = {"descriptive_cells", "blind_cutoff", "missing_outcomes"}


@pytest.mark.parametrize("code", SEEDED)
def test_audit__catches_a_seeded_defect_by_exactly_its_code(code):
    assert codes_of(SEEDED[code]()) == [code]


def test_audit__has_a_seeded_defect_for_every_code():
    assert set(SEEDED) | NOTES == set(CODES)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(batches=st.integers(2, 4), rounds=st.integers(2, 4), seed=st.integers(0, 10_000))
def test_audit__is_silent_about_a_clean_design(batches, rounds, seed):
    design = clean_design(batches=batches, rounds=rounds, seed=seed)
    assert codes_of(design, least=0) == []
    assert set(statuses_of(design).values()) == {"clean"}


def test_audit__never_passes_what_it_could_not_look_at():
    statuses = statuses_of(StudyDesign(SAMPLES[["sample", "patient"]]))
    assert set(statuses.values()) == {"not_applicable"}
    found = audit(StudyDesign(SAMPLES[["sample", "patient"]]))
    assert all(len(text) > 10 for text in found["check_looked_at"].values)
    assert found.sizes["finding"] == 0


def test_audit__takes_no_samples_at_all():
    empty = pd.DataFrame({"sample": [], "patient": [], "cells": np.array([], dtype=int)})
    assert codes_of(StudyDesign(empty), least=0) == []


def test_audit__declares_what_it_returns_and_survives_the_store(tmp_path):
    found = audit(with_signature(with_test(unit="cell"), measured=frozenset(GENES[:3])))
    check_result(RESULT, found)
    write_result(found, tmp_path / "s.zarr", step="audit", fingerprint="0123456789ab")
    back = open_result(tmp_path / "s.zarr", step="audit", fingerprint="0123456789ab").compute()
    for name in found.data_vars:
        left, right = found[name].values, back[name].values
        assert np.array_equal(left, right, equal_nan=left.dtype.kind == "f"), name


def test_audit__puts_errors_first_and_leaves_the_design_alone():
    design = with_signature(with_test(unit="cell"), measured=frozenset(GENES[:4]), cutoff_rule="blind")
    before = design.samples.copy()
    found = audit(design)
    severity = found["finding_severity"].values
    assert (np.diff(severity) <= 0).all()
    assert len(severity) > 1
    pd.testing.assert_frame_equal(design.samples, before)
    assert cd.audit is audit


def test_audit__does_not_depend_on_the_order_of_samples():
    turned = replace(DESIGN, samples=SAMPLES.iloc[::-1])
    assert codes_of(turned, least=0) == codes_of(DESIGN, least=0)
    design = SEEDED["uninformative_batch"]()
    found, back = audit(design), audit(replace(design, samples=design.samples.iloc[::-1]))
    assert found["association_cramers_v"].values == pytest.approx(back["association_cramers_v"].values, nan_ok=True)


def test_audit__gives_the_smallest_p_of_each_test():
    found = audit(DESIGN)
    assert found["planned_minimum_p_value"].values[:2] == pytest.approx([2 / 2**8, 2 / 70])
    assert np.isnan(found["planned_minimum_p_value"].values[2])


def test_audit__says_how_to_pass_a_table():
    with pytest.raises(InputError, match=r"Got DataFrame; write audit\(StudyDesign"):
        audit(pd.DataFrame({"sample": ["a"]}))
