"""A small run with hand-made results, for the tests of the report."""

from __future__ import annotations

from dataclasses import replace

import xarray as xr

from chemores_dask.workflow.record import (
    AuditAssociation,
    AuditCheck,
    AuditFinding,
    AuditRecord,
    Bill,
    ClaimOutcome,
    RunRecord,
    Section,
    StepRecord,
)
from tests.figures import examples_of_results as examples

SURVIVAL_TEXT = "Patients whose relapse samples score high live shorter.\n\nThe score was cut at its median before survival was looked at."


def example_results() -> dict[str, xr.Dataset]:
    return {
        "quality": examples.quality_result(),
        "variable_genes": examples.variable_genes_result(),
        "pca": examples.pca_result(),
        "graph": examples.neighbors_result(),
        "clusters": examples.leiden_result(),
        "map": examples.umap_result(),
        "stemness": examples.score_result(),
        "states": examples.states_result(),
        "cube": examples.cube_result(),
        "expansion": examples.composition_result(),
        "survival_curves": examples.survival_result(),
        "survival_test": examples.log_rank_result(),
        "survival_model": examples.cox_model_result(),
        "survival_scan": examples.scan_result(),
    }


def example_sections() -> tuple[Section, ...]:
    return (
        Section(
            "Cells",
            "Which cells were kept, and what tells them apart.",
            figures=(
                {"kind": "quality_violins", "step": "quality", "caption": "Quality of the cells of each sample."},
                {"kind": "variable_genes_plot", "step": "variable_genes", "labels": 8},
                {"kind": "variance_explained", "step": "pca", "caption": "Components."},
                {"kind": "embedding_map", "step": "pca", "color": "stage", "cube": "cube", "caption": "Stages."},
                {"kind": "embedding_map", "step": "pca", "color": "states.cell_state", "caption": "States."},
                {"kind": "embedding_map", "step": "map", "color": "clusters.cell_cluster", "caption": "Clusters."},
                {
                    "kind": "embedding_map",
                    "step": "pca",
                    "color": "stemness.cell_score",
                    "select": {"gene_set": "stemness"},
                },
            ),
        ),
        Section(
            "Stem-like cells",
            "Do stem-like cells expand from diagnosis to relapse?",
            figures=(
                {"kind": "score_distribution", "step": "stemness", "states": "states", "by": "stage", "cube": "cube"},
                {"kind": "composition_bars", "step": "cube", "caption": "States of each sample."},
                {"kind": "composition_slopes", "step": "expansion", "caption": "Each line is a patient."},
            ),
            tables=(
                {
                    "step": "expansion",
                    "variables": ["composition_share_before", "composition_share_after"],
                    "caption": "Shares.",
                },
                {
                    "step": "expansion",
                    "variables": ["composition_t_p_value", "composition_minimum_p_value"],
                    "caption": "Tests.",
                },
                {"step": "cube", "variables": ["cube_cells"], "caption": "Cells."},
            ),
        ),
        Section(
            "Survival",
            SURVIVAL_TEXT,
            figures=(
                {
                    "kind": "survival_curves",
                    "step": "survival_curves",
                    "log_rank": "survival_test",
                    "cox": "survival_model",
                    "labels": {"high": "high score", "low": "low score"},
                    "time_label": "Months since diagnosis",
                    "caption": "Survival by stemness score.",
                },
                {"kind": "forest", "step": "survival_model", "caption": "All terms of the model."},
                {"kind": "volcano", "step": "survival_scan", "caption": "Every gene, one at a time."},
            ),
            tables=(
                {
                    "step": "survival_scan",
                    "variables": ["cox_coefficient", "cox_p_value", "cox_q_value", "cox_status"],
                    "sort": "cox_p_value",
                    "rows": 10,
                    "caption": "Genes with the smallest P.",
                },
                {"step": "survival_test", "caption": "Test of the curves."},
            ),
        ),
    )


def example_audit() -> AuditRecord:
    return AuditRecord(
        findings=(
            AuditFinding(
                "unshared_batch", "error", "stage and batch", "No batch holds both stages.", "Compare within a batch."
            ),
            AuditFinding(
                "few_cells", "warning", "P03_relapse", "1 sample of 6 has fewer than 10 cells.", "Leave it out."
            ),
            AuditFinding(
                "descriptive_cells",
                "note",
                "markers",
                "P values take cells as their n.",
                "Quote them never as evidence.",
            ),
        ),
        checks=(
            AuditCheck("confounding", "found", "1 comparison against batch"),
            AuditCheck("cells of samples", "found", "6 samples with 3 to 700 cells"),
            AuditCheck("replicates", "clean", "the unit of 1 test: expansion (patient)"),
            AuditCheck("depth", "not_applicable", "no scores stand beside total counts"),
        ),
        associations=(
            AuditAssociation("stage", "batch", 1.0, 6, "samples"),
            AuditAssociation("stage", "subtype", 0.0, 6, "samples"),
            AuditAssociation("batch", "subtype", None, 3, "patients"),
        ),
    )


def example_record() -> RunRecord:
    results = example_results()
    analyses = {name: str(result.attrs["analysis"]) for name, result in results.items()}
    bill = Bill(
        passes=1.0,
        bytes_decoded=3 * 2**30,
        tasks=420,
        seconds=12.34,
        peak_memory_bytes=2 * 2**30,
        predicted_memory_bytes=2_400_000_000,
    )
    steps = tuple(
        StepRecord(
            name=name,
            analysis=analysis,
            fingerprint=f"{number:012x}",
            reused=name == "quality",
            parameters={"seed": 7, "method": "seurat"} if name == "stemness" else {"components": 20},
            inputs={"cells": "0123456789ab"},
            warnings=("MissingGenesWarning: 2 of 17 genes are not in the data: A, B.",) if name == "stemness" else (),
            bill=Bill() if name == "quality" else bill,
        )
        for number, (name, analysis) in enumerate(analyses.items())
    )
    claims = (
        ClaimOutcome(
            "Share of stem-like cells at relapse",
            "planted",
            0.26,
            0.2,
            0.32,
            0.247,
            "expansion",
            "composition_share_after",
        ),
        ClaimOutcome(
            "Log hazard ratio of the score", "planted", 0.7, 0.4, 1.0, 0.31, "survival_model", "cox_model_coefficient"
        ),
    )
    return RunRecord(
        pipeline="tall_relapse",
        title="Stem-like cells from diagnosis to relapse",
        description="Scores every cell for stemness, cuts the score into states, and asks whether the score goes with survival.",
        store="cohort.zarr",
        seed=7,
        started="2025-01-02T03:04:05+00:00",
        finished="2025-01-02T03:09:05+00:00",
        host="threads, 2 cores",
        cells=1_800,
        genes=500,
        samples=6,
        patients=120,
        inputs={"cells": "0123456789ab", "patients/bulk": "ba9876543210"},
        versions={"chemores_dask": "0.1.0", "numpy": "2.1.0"},
        steps=steps,
        claims=claims,
        sections=example_sections(),
        bill=replace(bill, passes=8.0, seconds=200.0),
        audit=example_audit(),
    )
