"""What a run did, in sentences."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from chemores_dask.figures.number_text import count_text, number_text, p_text
from chemores_dask.workflow.record import ClaimOutcome, RunRecord, StepRecord

DESCRIPTIVE = (
    "Statements about cells are descriptive: cells of one patient are not independent, so no P value in this report takes cells as "
    "its n. Wherever a P value is given, patients are the replicates, and their number stands beside it."
)

ANALYSES = {
    "read_tables": "read the tables, and counted whoever lacks what the analysis needs",
    "quality": "summed the counts, detected genes and mitochondrial share of each cell, and marked the cells within limits",
    "variable_genes": "chose the genes that vary more between cells than their mean explains",
    "pca": "found the principal components of log-normalized expression",
    "gene_products": "summed the products of genes, apart for each fold of the patients",
    "pca_of_products": "found the principal components of all folds, or of all but some, from these sums",
    "project_cells": "placed cells among components that were found in others",
    "module_score": "scored each row for gene sets, against control genes of similar expression",
    "ucell": "scored each row for gene sets by the ranks of their genes within it",
    "aucell": "scored each row for gene sets by how early their genes come among its highest values",
    "score_states": "cut a score into states, at natural breaks of its distribution or at a threshold that was frozen",
    "jenks_breaks": "found natural breaks of a score, as many as its elbow asks for, and how they vary with the patients",
    "score_changes": "compared the mean score of the cells of each patient before and after",
    "score_mixture": "asked whether a score is one group or two, and where these part",
    "cell_cycle": "scored each cell for the phases of the cell cycle, and told these apart",
    "stemness_signatures": "found the genes of a state, each time without some of the patients",
    "stemness": "scored each cell by the signature that its own patient had no part in",
    "covariate_dependence": "measured what the components hold of covariates, along a line and along any curve",
    "harmony": "drew the batches of cells together among the components",
    "neighbors": "found the nearest neighbors of each cell, and joined them in a graph",
    "leiden": "found clusters of cells in the graph",
    "cluster_stability": "found clusters again, with other seeds and in parts of the cells, and saw which came back",
    "diffusion_map": "found the directions in which the graph changes slowest",
    "label_transfer": "gave cells the labels of a reference, and none where there was no ground for one",
    "markers": "ranked the genes that tell each group of cells from the rest (descriptive: cells are not replicates)",
    "umap": "laid the cells out in two dimensions, for pictures",
    "cohort_cube": "summed the counts of all cells of each sample and state",
    "pseudobulk": "made one expression profile per sample from these sums",
    "differential_expression": "tested each gene for a difference between samples, with patients as replicates",
    "differential_by_state": "tested each gene for a difference between samples within each state, with patients as replicates",
    "ranking_of": "ordered the genes by how surely they differ",
    "gene_selection": "chose the genes that differ",
    "prerank_enrichment": "asked which gene sets lie towards an end of the ordered genes (genes are permuted, not patients)",
    "camera_enrichment": "compared the genes of each set with all others, allowing for genes that move together",
    "over_representation": "counted the genes of each set among those chosen, against all that were tested",
    "regulon_direction": "counted the targets of each regulator among genes going up and going down",
    "enrichment_replication": "held the gene sets of two cohorts against each other",
    "paired_composition": "compared the share of a state before and after, within each patient",
    "composition_changes": "compared the shares of all states before and after, within each patient, and against each other state",
    "propeller_composition": "fitted linear models of transformed shares, whose variances learn from each other",
    "beta_binomial_composition": "fitted beta-binomial models of the cells of each state, with an effect of the patient",
    "dirichlet_multinomial_composition": "looked for states that change against a reference, in a model of all states at once",
    "pooled_composition": "exchanged the labels of pooled cells, as published (reproduction, not inference)",
    "detection_limits": "said what the cells of each sample can tell of the share of each state, and what they may have missed",
    "group_association": "counted patients with a state in groups of patients, and compared these",
    "mean_zscore": "scored each row for gene sets by the mean of standardized expression",
    "ssgsea": "scored each row for gene sets by the weighted mean rank of their genes, less that of all others",
    "singscore": "scored each row for gene sets by the mean rank of their genes",
    "weighted_score": "scored each row by signed weights of genes",
    "response_groups": "compared a score between groups of response, in pairs and as a trend",
    "ordinal_regression": "fitted a proportional odds model of the response",
    "necrosis_association": "held a score against the share of the tumor that treatment killed",
    "classifier_performance": "measured how well a score tells a response, and what treating by it would gain",
    "response_scan": "held each gene in turn against the response",
    "kaplan_meier": "estimated survival over time in groups of patients",
    "landmark_cohort": "kept the patients at risk at a landmark, with their exposure as it was known then",
    "survival_cutoff": "related a score to survival without a cut, at its median, and at the best of many cuts, paying for the choice",
    "apply_cutoff": "called patients high or low by a cut-off that was frozen in another cohort",
    "log_rank": "tested whether survival differs between groups of patients",
    "nelson_aalen": "estimated the cumulative hazard over time in groups of patients",
    "restricted_mean": "compared the mean time lived up to a horizon between groups of patients",
    "cumulative_incidence": "estimated the cumulative incidence of competing causes in groups of patients",
    "gray_test": "tested whether the cumulative incidence of each cause differs between groups of patients",
    "fine_gray": "fitted Fine and Gray's model of the cumulative incidence of one cause",
    "cox_model": "fitted a Cox model of survival",
    "cox_prediction": "predicted the survival of patients by a Cox model",
    "cox_residuals": "looked at the residuals of a Cox model",
    "proportional_hazards": "tested whether the hazard ratios of a Cox model change with time",
    "concordance": "measured how well risk scores order patients by survival",
    "fit_risk_signature": "chose genes that foretell survival, weighed them, and froze what a new cohort needs",
    "freeze_gene_set": "standardized the genes of a set, and froze their score and its cut-off",
    "stability_selection": "chose genes again and again in halves of the patients, and counted how often each was chosen",
    "predict_risk": "scored patients by a frozen signature",
    "validate_risk": "held a frozen risk against the survival of patients that it had never seen",
    "random_signatures": "held a signature against random ones of as many genes, expressed as highly",
    "leave_one_gene_out": "asked what each gene brings to a frozen signature",
    "meta_analysis": "pooled the hazard ratios of several cohorts",
    "cox_scan": "fitted a Cox model of survival for each gene in turn",
}


DESCRIPTIVE_TESTS = (
    "Statements about cells are descriptive: cells of one patient are not independent. P values of markers and of pooled cells take cells "
    "as their n; they order, or reproduce what was published so, and test nothing about patients. Wherever else a P value is given, "
    "patients are the replicates, and their number stands beside it."
)
"""The same for a run with P values of cells."""


PATIENTS_ONLY = "Patients are the replicates of every P value, and their number stands beside it."
"""The same for a run of tables."""

TESTS_OF_CELLS = ("markers", "pooled_composition")


def descriptive_sentences(record: RunRecord) -> str:
    """What statements about cells are worth.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    Sentences.
    """
    if not record.store:
        return PATIENTS_ONLY
    return DESCRIPTIVE_TESTS if any(step.analysis in TESTS_OF_CELLS for step in record.steps) else DESCRIPTIVE


def sizes_sentence(record: RunRecord) -> str:
    """What the run worked on.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    One sentence.
    """
    if not record.store:
        genes = f", measured for {count_text(record.genes)} genes" if record.genes else ""
        return f"The tables hold {count_text(record.patients)} patients with all that the analysis needs{genes}."
    return (
        f"The store holds {count_text(record.cells)} cells of {count_text(record.samples)} samples from "
        f"{count_text(record.patients)} patients, measured for {count_text(record.genes)} genes."
    )


def step_sentence(step: StepRecord) -> str:
    """What a step did.

    Parameters
    ----------
    step
        The step.

    Returns
    -------
    Words without a full stop.
    """
    words = ANALYSES.get(step.analysis, f"ran the analysis {step.analysis}")
    return f"{words} (result reused from an earlier run)" if step.reused else words


def claims_sentence(record: RunRecord) -> str:
    """How the claims came out.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    One sentence.
    """
    number = len(record.claims)
    holding = sum(claim.holds for claim in record.claims)
    if not number:
        return "The pipeline makes no claims that this run could be held against."
    if holding == number:
        return (
            "The one claim holds."
            if number == 1
            else f"All {number} claims hold: what was found lies within the stated interval."
        )
    return f"{holding} of {number} claims hold: for these, what was found lies within the stated interval."


def claim_texts(claim: ClaimOutcome) -> tuple[str, str, str]:
    """What is claimed, where it must lie and what was found, as a person would write them.

    Parameters
    ----------
    claim
        The claim; one about a P value is recognized by the name of its variable.

    Returns
    -------
    Three texts.
    """
    if not claim.variable.endswith("p_value"):
        if np.isinf(claim.lower) != np.isinf(claim.upper):
            bound = (
                f"at most {number_text(claim.upper)}"
                if np.isinf(claim.lower)
                else f"at least {number_text(claim.lower)}"
            )
        else:
            bound = f"{number_text(claim.lower)} to {number_text(claim.upper)}"
        return number_text(claim.expected), bound, number_text(claim.found)
    if claim.lower <= 0:
        bound = f"P at most {claim.upper:g}"
    else:
        bound = f"P at least {claim.lower:g}" if claim.upper >= 1 else f"P {claim.lower:g} to {claim.upper:g}"
    expected = p_text(claim.expected) if 0 < claim.expected < 1 else "–"
    return expected, bound, p_text(claim.found)


def time_text(moment: str) -> str:
    """A moment as date and time of day.

    Parameters
    ----------
    moment
        ISO 8601.

    Returns
    -------
    Text; the moment itself where it has another form.
    """
    try:
        read = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    return f"{read:%Y-%m-%d %H:%M} {read.tzname() or ''}".strip()


def seconds_text(seconds: float) -> str:
    """A duration.

    Parameters
    ----------
    seconds
        Its length.

    Returns
    -------
    Text.

    Examples
    --------
    >>> seconds_text(0.03), seconds_text(12.34), seconds_text(200), seconds_text(7300)
    ('0.03 s', '12.3 s', '3 min 20 s', '2 h 1 min')
    """
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes = round(seconds) // 60
    return f"{minutes} min {round(seconds) % 60} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
