"""Chemotherapy resistance from single-cell counts to patient outcome, out of core, on Dask.

Every public name is imported when it is first asked for: ``import chemores_dask`` loads neither numba nor pandas nor Dask.

>>> import chemores_dask as cd
>>> "open_cells" in dir(cd)
True
"""

from __future__ import annotations

from importlib import import_module, metadata

_DOORS = {
    "ClinicalColumns": "ingest.clinical_tables",
    "CohortStore": "store.cohort_store",
    "ConcordanceOptions": "cohort.survival.risk_concordance",
    "ControlGenes": "scores.control_genes",
    "CutoffOptions": "cohort.survival.survival_cutoff",
    "CurveOptions": "cohort.survival.kaplan_meier",
    "GenePatterns": "single_cell.quality",
    "DifferentialOptions": "cohort.differential.table_tests",
    "GeneSet": "gene_sets",
    "GeneSets": "gene_sets",
    "HarmonySettings": "graph.harmony_settings",
    "IncidenceOptions": "cohort.survival.cumulative_incidence",
    "IngestOptions": "ingest.options",
    "Material": "auditor.study_design",
    "ModelOptions": "cohort.survival.cox_options",
    "PlannedContrast": "auditor.study_design",
    "PlannedFamily": "auditor.study_design",
    "PlannedModel": "auditor.study_design",
    "PlannedTest": "auditor.study_design",
    "LeaveOneOptions": "cohort.risk_signature.leave_one_gene",
    "PerformanceOptions": "cohort.response.classifier_performance",
    "QualityLimits": "single_cell.quality",
    "RankTestOptions": "cohort.survival.log_rank",
    "RandomSignatureOptions": "cohort.risk_signature.random_signatures",
    "SampleColumns": "auditor.study_design",
    "ScoredDepth": "auditor.study_design",
    "ScoredOutcome": "auditor.study_design",
    "SignatureUse": "auditor.study_design",
    "SignatureLimits": "cohort.held_out_signatures",
    "SignatureOptions": "cohort.risk_signature.signature_fit",
    "SimulationDesign": "simulation.design",
    "StabilityOptions": "cohort.risk_signature.stability_selection",
    "StudyDesign": "auditor.study_design",
    "TransferOptions": "graph.label_transfer",
    "append_samples": "ingest.append_samples",
    "apply_cutoff": "cohort.survival.apply_cutoff",
    "attach": "store.attach",
    "ValidationOptions": "cohort.risk_signature.validate_risk",
    "aucell": "scores.aucell",
    "audit": "auditor.design_audit",
    "beta_binomial_composition": "cohort.composition.beta_binomial_composition",
    "camera_enrichment": "cohort.enrichment.camera",
    "cell_cycle": "scores.cell_cycle",
    "check_privacy": "ingest.patient_privacy",
    "classifier_performance": "cohort.response.classifier_performance",
    "cluster_stability": "graph.cluster_stability",
    "cohort_cube": "single_cell.cohort_cube",
    "composition_changes": "cohort.composition.composition_changes",
    "concordance": "cohort.survival.risk_concordance",
    "covariate_dependence": "graph.covariate_dependence",
    "cox_model": "cohort.survival.cox_models",
    "cox_prediction": "cohort.survival.cox_prediction",
    "cox_residuals": "cohort.survival.model_residuals",
    "cox_scan": "cohort.survival.cox_scan",
    "cumulative_incidence": "cohort.survival.cumulative_incidence",
    "days_from_origin": "ingest.calendar_dates",
    "detection_limits": "cohort.composition.detection_limits",
    "differential_by_state": "cohort.differential.differential_by_state",
    "differential_expression": "cohort.differential.differential_expression",
    "diffusion_map": "graph.diffusion_map",
    "dirichlet_multinomial_composition": "cohort.composition.dirichlet_multinomial",
    "enrichment_replication": "cohort.enrichment.enrichment_replication",
    "export_cells": "store.export",
    "fine_gray": "cohort.survival.fine_gray_model",
    "freeze_gene_set": "cohort.risk_signature.gene_set_signature",
    "fit_risk_signature": "cohort.risk_signature.signature_fit",
    "gene_products": "single_cell.gene_products",
    "gene_selection": "cohort.enrichment.gene_selection",
    "gray_test": "cohort.survival.gray_tests",
    "group_association": "cohort.composition.group_association",
    "harmony": "graph.harmony",
    "ingest_patients": "ingest.patient_cohort",
    "ingest_samples": "ingest.convert:ingest",
    "jenks_breaks": "scores.jenks_breaks",
    "kaplan_meier": "cohort.survival.kaplan_meier",
    "label_transfer": "graph.label_transfer",
    "landmark_cohort": "cohort.survival.landmark_cohort",
    "leading_edge": "cohort.enrichment.leading_edge",
    "leave_one_gene_out": "cohort.risk_signature.leave_one_gene",
    "leiden": "graph.leiden",
    "list_cohorts": "store.patients",
    "list_results": "store.results",
    "log_normalize": "single_cell.normalize",
    "log_rank": "cohort.survival.log_rank",
    "markers": "single_cell.markers.analysis",
    "match_identifiers": "ingest.patient_identifiers",
    "mean_zscore": "scores.mean_zscore",
    "memory_budget": "memory",
    "meta_analysis": "cohort.survival.meta_analysis",
    "module_score": "scores.module_score",
    "necrosis_association": "cohort.response.necrosis_association",
    "neighbors": "graph.neighbors",
    "nelson_aalen": "cohort.survival.nelson_aalen",
    "open_cells": "store.cells",
    "open_genes": "store.gene_blocks",
    "open_patients": "store.patients",
    "open_result": "store.results",
    "ordinal_regression": "cohort.response.ordinal_regression",
    "over_representation": "cohort.enrichment.over_representation",
    "paired_composition": "cohort.composition.paired_shares",
    "patient_folds": "single_cell.gene_products",
    "pca": "single_cell.pca",
    "pca_of_products": "single_cell.products_pca",
    "pooled_composition": "cohort.composition.pooled_composition",
    "predict_risk": "cohort.risk_signature.risk_prediction",
    "prerank_enrichment": "cohort.enrichment.prerank",
    "project_cells": "single_cell.projection",
    "proportional_hazards": "cohort.survival.proportional_hazards",
    "propeller_composition": "cohort.composition.propeller",
    "pseudobulk": "cohort.pseudobulk",
    "quality": "single_cell.quality",
    "random_signatures": "cohort.risk_signature.random_signatures",
    "ranking_of": "cohort.enrichment.gene_ranking",
    "read_cells": "store.cell_choice",
    "read_claims": "workflow.claims",
    "read_genes": "store.gene_choice",
    "read_gmt": "ingest.gmt_file",
    "read_pipeline": "workflow.pipeline_file",
    "regulon_direction": "cohort.enrichment.regulon_direction",
    "response_groups": "cohort.response.response_groups",
    "response_scan": "cohort.response.response_scan",
    "restricted_mean": "cohort.survival.restricted_means",
    "run_pipeline": "workflow.runner",
    "score_mixture": "scores.score_mixture",
    "score_agreement": "scores.score_agreement",
    "score_changes": "scores.score_changes",
    "score_states": "scores.score_states",
    "share_passes": "stream.shared_pass",
    "simulate": "simulation.write",
    "singscore": "scores.singscore",
    "ssgsea": "scores.ssgsea",
    "stability_selection": "cohort.risk_signature.stability_selection",
    "staging_folder": "stream.staging",
    "stemness": "scores.stemness",
    "stemness_signatures": "cohort.held_out_signatures",
    "survival_cutoff": "cohort.survival.survival_cutoff",
    "ucell": "scores.ucell",
    "umap": "graph.umap_layout",
    "validate_risk": "cohort.risk_signature.validate_risk",
    "variable_genes": "single_cell.variable_genes",
    "verify_cells": "store.verification",
    "verify_store": "store.store_check",
    "weighted_score": "scores.weighted_score",
    "withdraw_patients": "store.withdrawal",
    "write_cells": "store.cells_parallel",
    "write_gene_copy": "store.gene_copy",
    "write_patients": "store.patients",
    "write_report": "report.document",
    "write_result": "store.results",
}
"""Module of every public name, below this package; after a colon, what it is called there.

``ingest`` alone would be the room of that name, once anything has imported it.
"""

__all__ = sorted(_DOORS)  # noqa: PLE0605 - the doors above are the one list of them


def __getattr__(name: str) -> object:
    if name == "__version__":
        return metadata.version("chemores_dask")
    if name not in _DOORS:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    module, _, called = _DOORS[name].partition(":")
    found = getattr(import_module(f"{__name__}.{module}"), called or name)
    globals()[name] = found  # the next look does not come here
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_DOORS, "__version__"})
