"""Small hand-made results with the variable names of the analyses."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

GENES = np.array(["CD44", "BCL2", "MT-CO1", "GAPDH"] + [f"GENE{number:05d}" for number in range(1, 497)], dtype=object)


def with_parameters(result: xr.Dataset, *, analysis: str, **parameters: object) -> xr.Dataset:
    result.attrs = {"analysis": analysis, "parameters": json.dumps(parameters)}
    return result


def sample_names(number: int) -> list[str]:
    stages = ("diagnosis", "relapse")
    return [f"P{1 + place // 2:02d}-{stages[place % 2]}" for place in range(number)]


def cell_names(samples: int, per_sample: int) -> np.ndarray:
    return np.array(
        [f"{name}:CELL{cell:06d}" for name in sample_names(samples) for cell in range(per_sample)], dtype=object
    )


def quality_result(samples: int = 6, per_sample: int = 300) -> xr.Dataset:
    draws = np.random.default_rng(1)
    names = cell_names(samples, per_sample)
    total = np.round(draws.lognormal(8.3, 0.5, size=len(names))).astype(np.int64)
    detected = np.round(total**0.86).astype(np.int64)
    share = draws.beta(2, 45, size=len(names))
    share[::9] += 0.12
    keep = (total > 1000) & (share < 0.12)
    result = xr.Dataset(
        {
            "cell_total": ("cell", total),
            "cell_detected_genes": ("cell", detected),
            "cell_mitochondrial_share": ("cell", share),
            "cell_keep": ("cell", keep),
        },
        coords={"cell": names},
    )
    limits = {"minimum_total": 1000, "maximum_mitochondrial_share": 0.12, "maximum_total": None}
    return with_parameters(result, analysis="quality", limits=limits)


def variable_genes_result(method: str = "seurat_v3") -> xr.Dataset:
    draws = np.random.default_rng(2)
    mean = draws.lognormal(-1.5, 2.0, size=len(GENES))
    spread = draws.lognormal(0, 0.25, size=len(GENES))
    spread[:2] = [9.0, 6.0]
    chosen = spread >= np.sort(spread)[-60]
    height = "gene_variance_normalized" if method == "seurat_v3" else "gene_dispersion_normalized"
    result = xr.Dataset(
        {"gene_mean": ("gene", mean), height: ("gene", spread), "gene_variable": ("gene", chosen)},
        coords={"gene": GENES},
    )
    return with_parameters(result, analysis="variable_genes", method=method, genes=60)


def pca_result(samples: int = 6, per_sample: int = 300, components: int = 20) -> xr.Dataset:
    draws = np.random.default_rng(3)
    names = cell_names(samples, per_sample)
    scores = draws.normal(size=(len(names), components)) * np.linspace(6, 1, components)
    scores[:, 0] += np.repeat(np.arange(samples) % 3, per_sample) * 9
    ratio = 0.08 * 0.7 ** np.arange(components) + 0.002
    result = xr.Dataset(
        {"pca_scores": (("cell", "component"), scores), "pca_variance_ratio": ("component", ratio)},
        coords={"cell": names, "component": np.arange(1, components + 1)},
    )
    return with_parameters(result, analysis="pca", components=components)


def umap_result(samples: int = 6, per_sample: int = 300, clusters: int = 5) -> xr.Dataset:
    draws = np.random.default_rng(11)
    names = cell_names(samples, per_sample)
    cluster = clusters_of(len(names), clusters)
    angle = 2 * np.pi * cluster / clusters
    coordinates = 8 * np.column_stack([np.cos(angle), np.sin(angle)]) + draws.normal(size=(len(names), 2))
    result = xr.Dataset(
        {
            "umap_coordinates": (("cell", "axis"), coordinates.astype(np.float32)),
            "umap_landmark": ("cell", np.arange(len(names)) % 5 == 0),
            "umap_trustworthiness": ((), 0.963),
            "umap_trustworthiness_lower": ((), 0.961),
            "umap_trustworthiness_upper": ((), 0.965),
            "umap_trustworthiness_queries": ((), 1000),
        },
        coords={"cell": names, "axis": np.array([1, 2])},
    )
    return with_parameters(result, analysis="umap", landmarks=20_000, rounds=100, trustworthiness_neighbors=15)


def neighbors_result(cells: int = 40, neighbors: int = 15) -> xr.Dataset:
    index = (np.arange(cells)[:, None] + np.arange(1, neighbors + 1)) % cells
    result = xr.Dataset(
        {
            "neighbor_index": (("cell", "neighbor"), index),
            "connectivity_offset": ("offset", np.arange(cells + 1) * neighbors),
            "connectivity_index": ("edge", index.ravel()),
            "connectivity_weight": ("edge", np.ones(index.size, dtype=np.float32)),
            "neighbor_recall": ((), 0.9621),
            "neighbor_recall_lower": ((), 0.9579),
            "neighbor_recall_upper": ((), 0.9658),
            "neighbor_recall_queries": ((), 1000),
        },
        coords={"cell": cell_names(1, cells)},
    )
    return with_parameters(result, analysis="neighbors", neighbors=neighbors, min_recall=0.95)


def clusters_of(cells: int, clusters: int) -> np.ndarray:
    return np.random.default_rng(12).integers(0, clusters, cells)


def leiden_result(samples: int = 6, per_sample: int = 300, clusters: int = 5) -> xr.Dataset:
    names = cell_names(samples, per_sample)
    cluster = clusters_of(len(names), clusters)
    result = xr.Dataset(
        {
            "cell_cluster": ("cell", cluster),
            "cluster_cells": ("cluster", np.bincount(cluster, minlength=clusters)),
            "leiden_modularity": ((), 0.71),
        },
        coords={"cell": names, "cluster": np.arange(clusters)},
    )
    return with_parameters(result, analysis="leiden", resolution=1.0, seed=7)


def stability_result(clusters: int = 5, *, undrawn: bool = False) -> xr.Dataset:
    draws = np.random.default_rng(8)
    cells = np.sort(draws.integers(20, 3000, clusters))[::-1]
    mean = np.clip(draws.normal(0.85, 0.2, (2, clusters)), 0, 1)
    if undrawn:
        mean[1] = np.nan
    overall = np.where(np.isnan(mean[:, :1]), np.nan, draws.uniform(0.7, 0.9, (2, 10)))
    result = xr.Dataset(
        {
            "stability_rand": (("draw", "repeat"), overall),
            "stability_clusters": (("draw", "repeat"), np.full((2, 10), clusters)),
            "stability_cluster_rand": (("draw", "cluster"), mean),
            "stability_cluster_lowest_rand": (("draw", "cluster"), mean - 0.1),
            "stability_cluster_jaccard": (("draw", "cluster"), mean),
            "stability_cluster_cells": ("cluster", cells),
        },
        coords={
            "draw": np.array(["other seed", "part of the cells"], dtype=object),
            "repeat": np.arange(1, 11),
            "cluster": np.arange(clusters),
        },
    )
    return with_parameters(result, analysis="cluster_stability", seed=7)


def score_result(samples: int = 6, per_sample: int = 300) -> xr.Dataset:
    draws = np.random.default_rng(4)
    names = cell_names(samples, per_sample)
    score = draws.normal(0, 0.15, size=len(names))
    relapse = np.array([":" in name and "relapse" in name for name in names])
    stem = draws.random(len(names)) < np.where(relapse, 0.26, 0.014)
    score[stem] += 1.0
    result = xr.Dataset(
        {"cell_score": (("cell", "gene_set"), score[:, None], {"units": "log expression"})},
        coords={"cell": names, "gene_set": np.array(["stemness"], dtype=object)},
    )
    return with_parameters(result, analysis="module_score", seed=7)


def states_result(samples: int = 6, per_sample: int = 300) -> xr.Dataset:
    scores = score_result(samples, per_sample)
    state = np.where(scores["cell_score"].values[:, 0] >= 0.55, "stem_like", "other").astype(object)
    result = xr.Dataset(
        {"cell_state": ("cell", state), "state_threshold": ((), 0.55), "state_goodness_of_fit": ((), 0.91)},
        coords={"cell": scores["cell"].values},
    )
    return with_parameters(result, analysis="score_states", gene_set="stemness", labels=["other", "stem_like"])


def cube_result(samples: int = 6, states: tuple[str, ...] = ("other", "stem_like")) -> xr.Dataset:
    draws = np.random.default_rng(5)
    names = sample_names(samples)
    rates = np.array([[900.0] + [40.0 + 200 * (place % 2)] * (len(states) - 1) for place in range(samples)])
    result = xr.Dataset(
        {"cube_cells": (("sample", "state"), draws.poisson(rates))},
        coords={
            "sample": np.array(names, dtype=object),
            "state": np.array(states, dtype=object),
            "stage": ("sample", np.array([name.split("-")[1] for name in names], dtype=object)),
            "patient": ("sample", np.array([name.split("-")[0] for name in names], dtype=object)),
        },
    )
    return with_parameters(result, analysis="cohort_cube", sample="sample", state="state")


def composition_result(patients: int = 10) -> xr.Dataset:
    draws = np.random.default_rng(6)
    before = draws.uniform(0.005, 0.04, size=patients)
    after = before + draws.uniform(-0.01, 0.4, size=patients).clip(-0.004, None)
    result = xr.Dataset(
        {
            "composition_share_before": ("patient", before),
            "composition_share_after": ("patient", after),
            "composition_logit_difference": ("patient", np.log(after / (1 - after)) - np.log(before / (1 - before))),
            "composition_t_p_value": ((), 6.6e-5),
            "composition_sign_flip_p_value": ((), 0.00195),
            "composition_signed_rank_p_value": ((), 0.0039),
            "composition_minimum_p_value": ((), 2 / 2**patients),
            "composition_patients": ((), patients),
        },
        coords={"patient": np.array([f"P{number:02d}" for number in range(1, patients + 1)], dtype=object)},
    )
    return with_parameters(
        result, analysis="paired_composition", state="stem_like", before="diagnosis", after="relapse"
    )


def survival_result(groups: tuple[str, ...] = ("high", "low"), patients: int = 60, events: bool = True) -> xr.Dataset:
    """Curves by hand: everybody is seen at months 1, 2, …; every second patient has the event."""
    time = np.arange(1, patients + 1, dtype=float)
    columns: dict[str, list[np.ndarray]] = {
        name: [] for name in ("survival", "lower", "upper", "at_risk", "events", "censored")
    }
    for place in range(len(groups)):
        dead = ((np.arange(patients) % (2 + place)) == 0) & events
        at_risk = patients - np.arange(patients)
        survival = np.cumprod(1 - dead / at_risk)
        error = np.sqrt(np.cumsum(dead / (at_risk * np.maximum(at_risk - dead, 1))))
        columns["survival"].append(survival)
        columns["lower"].append(np.where(survival > 0, survival * np.exp(-1.96 * error), np.nan))
        columns["upper"].append(np.where(survival > 0, np.minimum(survival * np.exp(1.96 * error), 1), np.nan))
        columns["at_risk"].append(at_risk)
        columns["events"].append(dead.astype(int))
        columns["censored"].append((~dead).astype(int))
    values = {f"km_{name}": (("group", "time"), np.stack(rows)) for name, rows in columns.items()}
    result = xr.Dataset(
        {
            **values,
            "km_patients": ("group", np.full(len(groups), patients)),
            "km_event_total": ("group", np.stack(columns["events"]).sum(axis=1)),
            "km_median": ("group", np.full(len(groups), np.nan)),
        },
        coords={"group": np.array(groups, dtype=object), "time": time},
    )
    return with_parameters(
        result, analysis="kaplan_meier", duration="months", event="died", group="score_high", level=0.95
    )


def log_rank_result(p_value: float = 0.0032, groups: tuple[str, ...] = ("high", "low")) -> xr.Dataset:
    result = xr.Dataset(
        {
            "log_rank_statistic": ((), 8.7),
            "log_rank_degrees_of_freedom": ((), len(groups) - 1),
            "log_rank_p_value": ((), p_value),
            "log_rank_patients": ("group", np.full(len(groups), 60)),
        },
        coords={"group": np.array(groups, dtype=object)},
    )
    return with_parameters(result, analysis="log_rank", duration="months", event="died", group="score_high")


def cox_model_result(terms: tuple[str, ...] = ("score", "age", "stage[IV]")) -> xr.Dataset:
    number = len(terms)
    coefficient = np.linspace(0.61, -0.2, number)
    error = np.linspace(0.17, 0.3, number)
    values = {
        "coefficient": coefficient,
        "standard_error": error,
        "hazard_ratio": np.exp(coefficient),
        "hazard_ratio_lower": np.exp(coefficient - 1.96 * error),
        "hazard_ratio_upper": np.exp(coefficient + 1.96 * error),
        "p_value": np.linspace(0.00032, 0.5, number),
    }
    scalars = {"patients": 120, "events": 57, "concordance": 0.68, "likelihood_ratio_p_value": 0.00021}
    result = xr.Dataset(
        {f"cox_model_{name}": ("term", value) for name, value in values.items()}
        | {f"cox_model_{name}": ((), value) for name, value in scalars.items()},
        coords={"term": np.array(terms, dtype=object)},
    )
    return with_parameters(
        result, analysis="cox_model", duration="months", event="died", covariates=list(terms), level=0.95
    )


def scan_result(genes: int = 500) -> xr.Dataset:
    draws = np.random.default_rng(8)
    coefficient = draws.normal(0, 0.15, size=genes)
    coefficient[: min(genes, 24)] = np.linspace(-1.1, 1.3, min(genes, 24))
    z = coefficient / 0.17
    p_value = np.exp(-0.717 * np.abs(z) - 0.416 * z**2)
    order = np.argsort(p_value)
    q_value = np.empty(genes)
    q_value[order] = np.minimum.accumulate((p_value[order] * genes / np.arange(1, genes + 1))[::-1])[::-1]
    status = np.zeros(genes, dtype=np.int64)
    if genes > 100:
        status[100:103] = 1
    result = xr.Dataset(
        {
            "cox_coefficient": ("gene", coefficient),
            "cox_p_value": ("gene", p_value),
            "cox_q_value": ("gene", q_value),
            "cox_hazard_ratio": ("gene", np.exp(coefficient)),
            "cox_status": (
                "gene",
                status,
                {"flag_values": [0, 1, 2, 3], "flag_meanings": "ok constant separated not_converged"},
            ),
            "cox_patients": ("gene", np.full(genes, 200)),
            "cox_events": ("gene", np.full(genes, 97)),
        },
        coords={"gene": GENES[:genes]},
    )
    return with_parameters(result, analysis="cox_scan", duration="months", event="died")


def claims_result() -> xr.Dataset:
    return xr.Dataset(
        {
            "claim_expected": ("claim", [0.014, 0.26, 0.7, 0.05, 1.8]),
            "claim_lower": ("claim", [0.008, 0.2, 0.4, -np.inf, 1.2]),
            "claim_upper": ("claim", [0.02, 0.32, 1.0, 0.05, 2.4]),
            "claim_found": ("claim", [0.0151, 0.245, 0.31, 0.002, np.nan]),
        },
        coords={
            "claim": [
                "Share of stem-like cells at diagnosis",
                "Share of stem-like cells at relapse",
                "Log hazard ratio per standard deviation",
                "P of the paired test",
                "Ratio of variances",
            ]
        },
    )


def markers_result(groups: int = 3, genes: int = 40) -> xr.Dataset:
    draws = np.random.default_rng(5)
    statistic = draws.normal(size=(groups, genes))
    for group in range(groups):
        statistic[group, 3 * group : 3 * group + 3] = [30, 20, 10]
    rank = np.argsort(np.argsort(-statistic, axis=1), axis=1) + 1
    over = ("group", "gene")
    result = xr.Dataset(
        {
            "marker_rank": (over, rank),
            "marker_statistic": (over, statistic),
            "marker_share": (over, draws.uniform(size=(groups, genes))),
            "marker_mean": (over, draws.uniform(0.1, 2, size=(groups, genes))),
            "marker_cells": ("group", np.arange(groups) + 1200),
            "marker_patients": ("group", np.arange(groups) + 1),
            "marker_unlabeled": ((), 7),
        },
        coords={"group": [str(group) for group in range(groups)], "gene": [f"G{gene}" for gene in range(genes)]},
    )
    result = with_parameters(result, analysis="markers", group="cluster")
    return result.assign_attrs(descriptive="Cells of one patient are not independent.")
