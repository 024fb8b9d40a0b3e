"""A sound study with everything said, and the same with one thing spoiled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

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

GENES = ("CD44", "CD27", "ITGB7", "BCL2", "BCL6")
STAGES = PlannedContrast("stage", "diagnosis", "relapse", paired=True, formula="~ patient + stage")
SUBTYPES = PlannedContrast("subtype", "TAL1", "TLX1")


def clean_samples(*, batches: int = 2, rounds: int = 2, seed: int = 1) -> pd.DataFrame:
    """Pairs of samples: each batch holds both samples of its patients, and as many patients of either subtype."""
    generator = np.random.default_rng(seed)
    patients = 2 * batches * rounds
    rows = []
    for patient in range(patients):
        sex = "female" if (patient // (2 * batches) + patient) % 2 else "male"
        for stage in ("diagnosis", "relapse"):
            counts = (400, 3) if sex == "female" else (2, 300)
            rows.append(
                {
                    "sample": f"P{patient:02d}_{stage}",
                    "patient": f"P{patient:02d}",
                    "stage": stage,
                    "batch": f"batch_{patient % batches}",
                    "subtype": "TAL1" if (patient // batches) % 2 else "TLX1",
                    "sex": sex,
                    "xist_counts": counts[0],
                    "y_counts": counts[1],
                    "cells": int(generator.integers(300, 900)),
                }
            )
    order = generator.permutation(len(rows))
    return pd.DataFrame(rows).iloc[order].reset_index(drop=True)


def clean_design(*, batches: int = 2, rounds: int = 2, seed: int = 1) -> StudyDesign:
    """A design that an expert has nothing to say against."""
    samples = clean_samples(batches=batches, rounds=rounds, seed=seed)
    generator = np.random.default_rng(seed + 1)
    names = tuple(sorted(set(samples["patient"])))
    owners = np.repeat(list(names), 50)
    return StudyDesign(
        samples,
        tests=(
            PlannedTest("expansion", kind="sign_flip", contrast=STAGES, family="primary"),
            PlannedTest("subtypes", kind="rank_sum", contrast=SUBTYPES, family="primary"),
            PlannedTest("screen", kind="model", tests=20_000, correction="benjamini_hochberg"),
        ),
        families=(PlannedFamily("primary", "holm"),),
        models=(
            PlannedModel("survival", patients=120, events=60, terms=3, origin="diagnosis", score_known="diagnosis"),
        ),
        signatures=(
            SignatureUse(
                "stemness",
                genes=GENES,
                measured=frozenset((*GENES, "GAPDH")),
                derivation=Material(("Q1", "Q2"), ("Q1:c1", "Q2:c1"), ("stage",)),
                test=Material(names, tuple(f"{name}:c1" for name in names), ("stage",)),
                cutoff=Material(("Q1", "Q2")),
                cutoff_rule="frozen",
            ),
        ),
        depths=(
            ScoredDepth(
                "stemness", generator.normal(size=owners.size), generator.lognormal(8, 0.3, owners.size), owners
            ),
        ),
        outcomes=(ScoredOutcome("stemness", generator.normal(size=70), np.ones(70, dtype=bool)),),
    )


def with_samples(design: StudyDesign, **columns: object) -> StudyDesign:
    """The design with other columns of its samples."""
    return replace(design, samples=design.samples.assign(**columns))


def with_signature(design: StudyDesign, **changes: object) -> StudyDesign:
    """The design with another signature."""
    return replace(design, signatures=(replace(design.signatures[0], **changes),))


def codes_of(design: StudyDesign, *, least: int = 1) -> list[str]:
    """Codes of the findings that are warnings or errors (or notes, from 0 on)."""
    found = audit(design)
    kept = found["finding_severity"].values >= least
    return sorted(str(code) for code in found["finding_code"].values[kept])


def statuses_of(design: StudyDesign) -> dict[str, str]:
    """Status of each check."""
    found = audit(design)
    meanings = found["check_status"].attrs["flag_meanings"].split()
    return {
        str(name): meanings[int(status)]
        for name, status in zip(found["check"].values, found["check_status"].values, strict=True)
    }
