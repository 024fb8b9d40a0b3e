"""The figures that a report may name, and the options of each.

A figure of a section is a table: ``kind`` and ``step`` (whose result is drawn), ``caption``, and options:

====================== ================================= ================================================================================
kind                   draws                             options
====================== ================================= ================================================================================
quality_violins        quality
variable_genes_plot    variable_genes                    labels (number)
embedding_map          umap, pca, harmony, diffusion_map color, coordinates (variable), select, cube (step), title
variance_explained     pca
score_distribution     any score of cells                gene_set, states (step), by (``"sample"`` or a column of the cube), cube (step)
score_violins          any score of cells                gene_set, cube (step), patient, stage (its columns), order (stages), states (step)
score_threshold        jenks_breaks                      mixture (step)
ranked_scores          any score of cells                states (step), gene_set, by (as above), cube (step)
covariate_strips       pca, covariate_dependence
marker_dots            markers                           genes (number)
cluster_stability_plot cluster_stability
composition_slopes     paired_composition
composition_bars       cohort_cube                       order (columns)
composition_effects    composition_changes               beta_binomial (step), propeller (step), dirichlet (step)
pooled_points          pooled_composition                pair
cutoff_scan            survival_cutoff                   title
survival_curves        kaplan_meier                      log_rank (step), cox (step), labels (table), time_label, title
cumulative_incidence_curves  cumulative_incidence          gray (step), labels (table), time_label, title
volcano                cox_scan, response_scan           q, labels (number)
differential_volcano   differential_expression, differential_by_state  q, labels (number), state
p_value_calibration    differential_expression, differential_by_state  cells (step), group, state, level
forest                 cox_model, ordinal_regression, necrosis_association   labels (table)
schoenfeld_plot        proportional_hazards              labels (table), terms (number)
hazard_ratio_curve     cox_model                         covariate, reference (number), labels (table)
predicted_survival     cox_prediction                    labels (table), time_label
running_sum            prerank_enrichment                gene_sets (names), sets (number)
enrichment_dots        prerank_enrichment                others (table of steps by name), sets (number), q, title
replication_scatter    enrichment_replication            first, second (names), labels (number)
scores_by_group        response_groups                   labels (table), title
roc_curve              classifier_performance            title
calibration_curve      classifier_performance            title
decision_curve         classifier_performance            title
necrosis_scatter       necrosis_association              labels (table), title
coefficient_path       fit_risk_signature                labels (number), title
signature_choice       fit_risk_signature                title
selection_frequencies  stability_selection               genes (number), title
auc_over_time          validate_risk                     time_label, title
brier_over_time        validate_risk                     time_label, title
survival_calibration   validate_risk                     title
survival_net_benefit   validate_risk                     title
random_signature_null  random_signatures                 title
leave_one_gene_dots    leave_one_gene_out                genes (number), title
pooled_forest          meta_analysis                     title
====================== ================================= ================================================================================

``color`` is ``"sample"``, a column of the cube, or a variable over cells as ``"step.variable"``; ``select`` picks along its
other dimensions, as ``{gene_set = "stemness"}``. ``coordinates`` names what is drawn, where
a step has several variables over cells and another dimension.
"""

from __future__ import annotations

import difflib
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import xarray as xr
from matplotlib.figure import Figure

from chemores_dask.checks import listed
from chemores_dask.errors import ParameterError
from chemores_dask.figures.auc_over_time import auc_over_time
from chemores_dask.figures.brier_over_time import brier_over_time
from chemores_dask.figures.calibration_curve import calibration_curve
from chemores_dask.figures.cluster_stability_plot import cluster_stability_plot
from chemores_dask.figures.coefficient_path import coefficient_path
from chemores_dask.figures.composition_bars import composition_bars
from chemores_dask.figures.composition_effects import composition_effects
from chemores_dask.figures.composition_slopes import composition_slopes
from chemores_dask.figures.covariate_strips import covariate_strips
from chemores_dask.figures.cumulative_incidence_curves import cumulative_incidence_curves
from chemores_dask.figures.cutoff_scan import cutoff_scan
from chemores_dask.figures.decision_curve import decision_curve
from chemores_dask.figures.differential_volcano import differential_volcano
from chemores_dask.figures.embedding_map import embedding_map
from chemores_dask.figures.enrichment_dots import enrichment_dots
from chemores_dask.figures.forest import forest
from chemores_dask.figures.hazard_ratio_curve import hazard_ratio_curve
from chemores_dask.figures.leave_one_gene_dots import leave_one_gene_dots
from chemores_dask.figures.marker_dots import marker_dots
from chemores_dask.figures.necrosis_scatter import necrosis_scatter
from chemores_dask.figures.p_value_calibration import p_value_calibration
from chemores_dask.figures.pooled_forest import pooled_forest
from chemores_dask.figures.pooled_points import pooled_points
from chemores_dask.figures.predicted_survival import predicted_survival
from chemores_dask.figures.quality_violins import quality_violins
from chemores_dask.figures.random_signature_null import random_signature_null
from chemores_dask.figures.ranked_scores import ranked_scores
from chemores_dask.figures.replication_scatter import replication_scatter
from chemores_dask.figures.roc_curve import roc_curve
from chemores_dask.figures.running_sum_plot import running_sum
from chemores_dask.figures.schoenfeld_plot import schoenfeld_plot
from chemores_dask.figures.score_distribution import score_distribution
from chemores_dask.figures.score_threshold import score_threshold
from chemores_dask.figures.score_violins import score_violins
from chemores_dask.figures.scores_by_group import scores_by_group
from chemores_dask.figures.selection_frequencies import selection_frequencies
from chemores_dask.figures.signature_choice import signature_choice
from chemores_dask.figures.survival_calibration import survival_calibration
from chemores_dask.figures.survival_curves import survival_curves
from chemores_dask.figures.survival_net_benefit import survival_net_benefit
from chemores_dask.figures.variable_genes_plot import variable_genes_plot
from chemores_dask.figures.variance_explained import variance_explained
from chemores_dask.figures.volcano import volcano
from chemores_dask.scores.score_methods import SCORE_METHODS

SCORES = (*SCORE_METHODS, "stemness")
MAPS = ("umap", "pca", "harmony", "diffusion_map")
ALWAYS = ("kind", "step", "caption")
SELECT = "select"
WORDS = {str: "a text", int: "a whole number", float: "a number", Mapping: "a table", Sequence: "a list of texts"}


@dataclass(frozen=True)
class FigureEntry:
    """A figure as reports know it.

    Attributes
    ----------
    function
        Draws it; the result is its first argument, options are keywords.
    draws
        The analyses whose results it draws.
    steps
        Options that name a step, with the analysis of that step.
    variables
        Options that may name a variable of a step as ``"step.variable"``.
    named_steps
        Options that are tables of steps by a name for the picture, with the analysis of these steps.
    """

    function: Callable[..., Figure]
    draws: tuple[str, ...]
    steps: Mapping[str, str] = field(default_factory=dict)
    variables: tuple[str, ...] = ()
    named_steps: Mapping[str, str] = field(default_factory=dict)

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the options."""
        names = tuple(inspect.signature(self.function).parameters)[1:]
        return names + ((SELECT,) if self.variables else ())


FIGURES: dict[str, FigureEntry] = {
    "quality_violins": FigureEntry(quality_violins, ("quality",)),
    "variable_genes_plot": FigureEntry(variable_genes_plot, ("variable_genes",)),
    "embedding_map": FigureEntry(embedding_map, MAPS, {"cube": "cohort_cube"}, ("color",)),
    "variance_explained": FigureEntry(variance_explained, ("pca",)),
    "score_distribution": FigureEntry(score_distribution, SCORES, {"states": "score_states", "cube": "cohort_cube"}),
    "score_violins": FigureEntry(score_violins, SCORES, {"states": "score_states", "cube": "cohort_cube"}),
    "score_threshold": FigureEntry(score_threshold, ("jenks_breaks",), {"mixture": "score_mixture"}),
    "ranked_scores": FigureEntry(ranked_scores, SCORES, {"states": "score_states", "cube": "cohort_cube"}),
    "covariate_strips": FigureEntry(covariate_strips, ("pca", "covariate_dependence")),
    "cluster_stability_plot": FigureEntry(cluster_stability_plot, ("cluster_stability",)),
    "marker_dots": FigureEntry(marker_dots, ("markers",)),
    "composition_slopes": FigureEntry(composition_slopes, ("paired_composition",)),
    "composition_bars": FigureEntry(composition_bars, ("cohort_cube",)),
    "composition_effects": FigureEntry(
        composition_effects,
        ("composition_changes",),
        {
            "beta_binomial": "beta_binomial_composition",
            "propeller": "propeller_composition",
            "dirichlet": "dirichlet_multinomial_composition",
        },
    ),
    "pooled_points": FigureEntry(pooled_points, ("pooled_composition",)),
    "cutoff_scan": FigureEntry(cutoff_scan, ("survival_cutoff",)),
    "survival_curves": FigureEntry(survival_curves, ("kaplan_meier",), {"log_rank": "log_rank", "cox": "cox_model"}),
    "cumulative_incidence_curves": FigureEntry(
        cumulative_incidence_curves, ("cumulative_incidence",), {"gray": "gray_test"}
    ),
    "volcano": FigureEntry(volcano, ("cox_scan", "response_scan")),
    "differential_volcano": FigureEntry(differential_volcano, ("differential_expression", "differential_by_state")),
    "p_value_calibration": FigureEntry(
        p_value_calibration, ("differential_expression", "differential_by_state"), {"cells": "markers"}
    ),
    "forest": FigureEntry(forest, ("cox_model", "ordinal_regression", "necrosis_association")),
    "schoenfeld_plot": FigureEntry(schoenfeld_plot, ("proportional_hazards",)),
    "hazard_ratio_curve": FigureEntry(hazard_ratio_curve, ("cox_model",)),
    "predicted_survival": FigureEntry(predicted_survival, ("cox_prediction",)),
    "scores_by_group": FigureEntry(scores_by_group, ("response_groups",)),
    "roc_curve": FigureEntry(roc_curve, ("classifier_performance",)),
    "running_sum": FigureEntry(running_sum, ("prerank_enrichment",)),
    "enrichment_dots": FigureEntry(
        enrichment_dots, ("prerank_enrichment",), named_steps={"others": "prerank_enrichment"}
    ),
    "replication_scatter": FigureEntry(replication_scatter, ("enrichment_replication",)),
    "calibration_curve": FigureEntry(calibration_curve, ("classifier_performance",)),
    "decision_curve": FigureEntry(decision_curve, ("classifier_performance",)),
    "coefficient_path": FigureEntry(coefficient_path, ("fit_risk_signature",)),
    "signature_choice": FigureEntry(signature_choice, ("fit_risk_signature",)),
    "selection_frequencies": FigureEntry(selection_frequencies, ("stability_selection",)),
    "auc_over_time": FigureEntry(auc_over_time, ("validate_risk",)),
    "brier_over_time": FigureEntry(brier_over_time, ("validate_risk",)),
    "survival_calibration": FigureEntry(survival_calibration, ("validate_risk",)),
    "survival_net_benefit": FigureEntry(survival_net_benefit, ("validate_risk",)),
    "random_signature_null": FigureEntry(random_signature_null, ("random_signatures",)),
    "leave_one_gene_dots": FigureEntry(leave_one_gene_dots, ("leave_one_gene_out",)),
    "pooled_forest": FigureEntry(pooled_forest, ("meta_analysis",)),
    "necrosis_scatter": FigureEntry(necrosis_scatter, ("necrosis_association",)),
}


def check_figure(figure: Mapping[str, object], *, analyses: Mapping[str, str]) -> None:
    """Hold the table of a figure against the gallery, before anything is computed or drawn.

    Parameters
    ----------
    figure
        ``kind``, ``step``, ``caption`` and options.
    analyses
        Analysis of each step, by the name of the step.

    Raises
    ------
    ParameterError
        If the kind, a step or an option is unknown, or a step has another analysis than the figure draws.
    """
    kind = figure.get("kind")
    if kind not in FIGURES:
        message = f"The kind of a figure must be one of: {listed(FIGURES)}. Got {kind!r}.{_close(kind, FIGURES)}"
        raise ParameterError(message)
    entry = FIGURES[str(kind)]
    if "step" not in figure:
        message = f'A figure must name the step that it draws. {kind!r} does not; add step = "…".'
        raise ParameterError(message)
    _check_step(figure["step"], str(kind), "step", entry.draws, analyses)
    for option, value in figure.items():
        if option in ALWAYS:
            continue
        if option not in entry.options:
            known = listed((*ALWAYS, *entry.options))
            message = (
                f"A figure {kind!r} has no option {option!r}. Its options: {known}.{_close(option, entry.options)}"
            )
            raise ParameterError(message)
        if option in entry.steps:
            _check_step(value, str(kind), option, (entry.steps[option],), analyses)
        elif option == SELECT:
            _check_type(value, Mapping, str(kind), option)
        elif option in entry.named_steps:
            _check_type(value, Mapping, str(kind), option)
            for step in typing.cast("Mapping[str, object]", value).values():
                _check_step(step, str(kind), option, (entry.named_steps[option],), analyses)
        elif option in entry.variables:
            _check_type(value, str, str(kind), option)
            if "." in str(value):
                _check_step(str(value).split(".")[0], str(kind), option, (), analyses)
        else:
            _check_type(value, _kind_of(entry.function, option), str(kind), option)


def draw_figure(figure: Mapping[str, object], results: Mapping[str, xr.Dataset]) -> Figure:
    """Draw a figure from its table in a section of a report.

    Parameters
    ----------
    figure
        ``kind``, ``step``, ``caption`` and options; held against the gallery by :func:`check_figure` beforehand.
    results
        Results by the name of their step.

    Returns
    -------
    Figure.

    Raises
    ------
    ParameterError
        If a variable or a label to select is not there.
    MissingVariableError
        If a result lacks what the figure draws.
    """
    entry = FIGURES[str(figure["kind"])]
    options: dict[str, object] = {}
    for option, value in figure.items():
        if option in ALWAYS or option == SELECT:
            continue
        if option in entry.steps:
            options[option] = results[str(value)]
        elif option in entry.named_steps:
            steps = typing.cast("Mapping[str, object]", value)
            options[option] = {name: results[str(step)] for name, step in steps.items()}
        elif option in entry.variables and "." in str(value):
            options[option] = _variable(str(value), figure.get(SELECT, {}), results)
        else:
            options[option] = value
    return entry.function(results[str(figure["step"])], **options)


def _variable(text: str, select: object, results: Mapping[str, xr.Dataset]) -> xr.DataArray:
    step, name = text.split(".", maxsplit=1)
    result = results[step]
    if name not in result.variables:
        message = f"{text!r} must name a variable of the step {step!r}. Present: {listed(result.data_vars)}."
        raise ParameterError(message)
    values = result[name]
    for dim, label in (select if isinstance(select, Mapping) else {}).items():
        labels = [str(known) for known in values[dim].values] if dim in values.dims else []
        if str(label) not in labels:
            message = (
                f"select must name labels of {text!r}. Got {dim} = {label!r}; its dimensions: {listed(values.dims)}; "
                f"labels: {listed(labels)}."
            )
            raise ParameterError(message)
        values = values.isel({dim: labels.index(str(label))})
    return values


def _check_step(step: object, kind: str, option: str, wanted: tuple[str, ...], analyses: Mapping[str, str]) -> None:
    if step not in analyses:
        message = (
            f"The option {option!r} of a figure {kind!r} must name a step. Got {step!r}; "
            f"steps: {listed(analyses)}.{_close(step, analyses)}"
        )
        raise ParameterError(message)
    if wanted and analyses[str(step)] not in wanted:
        fitting = [name for name, known in analyses.items() if known in wanted]
        message = (
            f"The option {option!r} of a figure {kind!r} must name a step of the analysis {' or '.join(map(repr, wanted))}. "
            f"Got {step!r}, a step of {analyses[str(step)]!r}; steps that fit: {listed(fitting)}."
        )
        raise ParameterError(message)


def _kind_of(function: Callable[..., Figure], option: str) -> type:
    hint = typing.get_type_hints(function)[option]
    choices = typing.get_args(hint) if typing.get_origin(hint) in {typing.Union, types.UnionType} else (hint,)
    chosen = next(choice for choice in choices if choice is not type(None))
    origin = typing.get_origin(chosen) or chosen
    return Sequence if origin is tuple else origin


def _check_type(value: object, wanted: type, kind: str, option: str) -> None:
    fits = isinstance(value, (int, float)) if wanted is float else isinstance(value, wanted)
    if isinstance(value, bool) or (wanted is Sequence and isinstance(value, str)) or not fits:
        message = f"The option {option!r} of a figure {kind!r} must be {WORDS[wanted]}. Got {value!r}."
        raise ParameterError(message)


def _close(name: object, known: Mapping[str, object] | Sequence[str]) -> str:
    close = difflib.get_close_matches(str(name), list(known))
    return f" Did you mean {' or '.join(close)}?" if close else ""
