"""Chemotherapy resistance from single-cell counts to patient outcome, out of core, on Dask.

Every public name is imported when it is first asked for: ``import chemores_dask`` loads neither numba nor pandas nor Dask.

>>> import chemores_dask as cd
>>> "open_cells" in dir(cd)
True
"""

from __future__ import annotations

from importlib import import_module, metadata

_DOORS = {
    "CohortStore": "store.cohort_store",
    "GenePatterns": "single_cell.quality",
    "ClinicalColumns": "ingest.clinical_tables",
    "GeneSet": "gene_sets",
    "GeneSets": "gene_sets",
    "HarmonySettings": "graph.harmony_settings",
    "IngestOptions": "ingest.options",
    "QualityLimits": "single_cell.quality",
    "SimulationDesign": "simulation.design",
    "TransferOptions": "graph.label_transfer",
    "append_samples": "ingest.append_samples",
    "attach": "store.attach",
    "cluster_stability": "graph.cluster_stability",
    "cohort_cube": "single_cell.cohort_cube",
    "cox_model": "cohort.cox_models",
    "cox_scan": "cohort.cox_scan",
    "diffusion_map": "graph.diffusion_map",
    "export_cells": "store.export",
    "gene_products": "single_cell.gene_products",
    "harmony": "graph.harmony",
    "ingest_patients": "ingest.patient_cohort",
    "ingest_samples": "ingest.convert:ingest",
    "kaplan_meier": "cohort.kaplan_meier",
    "label_transfer": "graph.label_transfer",
    "leiden": "graph.leiden",
    "list_cohorts": "store.patients",
    "list_results": "store.results",
    "log_normalize": "single_cell.normalize",
    "log_rank": "cohort.log_rank",
    "markers": "single_cell.markers.analysis",
    "mean_zscore": "cohort.gene_set_scores",
    "memory_budget": "memory",
    "module_score": "single_cell.scores.module_score",
    "neighbors": "graph.neighbors",
    "open_cells": "store.cells",
    "open_genes": "store.gene_blocks",
    "open_patients": "store.patients",
    "open_result": "store.results",
    "paired_composition": "cohort.composition",
    "patient_folds": "single_cell.gene_products",
    "pca": "single_cell.pca",
    "pca_of_products": "single_cell.products_pca",
    "project_cells": "single_cell.projection",
    "pseudobulk": "cohort.pseudobulk",
    "quality": "single_cell.quality",
    "read_cells": "store.cell_choice",
    "read_claims": "workflow.claims",
    "read_genes": "store.gene_choice",
    "read_gmt": "ingest.gmt_file",
    "read_pipeline": "workflow.pipeline_file",
    "run_pipeline": "workflow.runner",
    "score_states": "single_cell.score_states",
    "share_passes": "stream.shared_pass",
    "simulate": "simulation.write",
    "staging_folder": "stream.staging",
    "umap": "graph.umap_layout",
    "variable_genes": "single_cell.variable_genes",
    "verify_cells": "store.verification",
    "verify_store": "store.store_check",
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
