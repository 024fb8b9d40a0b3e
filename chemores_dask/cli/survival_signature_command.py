"""``chemores survival signature``: make a risk signature or apply a frozen one, and hold it against independent patients."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.cli.survival_run import SurvivalRun, cohort_section, inputs_of, say_who, start_run
from chemores_dask.cli.terminal import complain, say
from chemores_dask.cohort.risk_signature.risk_prediction import predict_risk
from chemores_dask.cohort.risk_signature.signature_fit import SignatureOptions, fit_risk_signature
from chemores_dask.cohort.risk_signature.validate_risk import ValidationOptions, validate_risk
from chemores_dask.cohort.survival.kaplan_meier import CurveOptions, kaplan_meier
from chemores_dask.cohort.survival.log_rank import log_rank
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.figures.number_text import number_text, p_sentence
from chemores_dask.ingest.follow_up import FollowUp, FollowUpColumns, read_follow_up
from chemores_dask.ingest.signature_file import read_signature, write_signature
from chemores_dask.workflow.record import Section

SIGNATURE, GENES, RISK, VALIDATION = "signature.json", "signature_genes.csv", "risk.csv", "validation.csv"
GENE_COLUMNS = ("weight", "coefficient", "center", "scale")
FAR = 4.0
QUARTERS = (0.25, 0.5, 0.75)
SECOND = "validation_cohort"
RISK_GROUP = "risk_group"


@dataclass(frozen=True)
class _Judged:
    """The patients that a signature is held against, and how."""

    read: FollowUp
    step: str
    horizons: Sequence[float]
    standardize: str


def perform(
    *,
    clinical: Path,
    expression: Path,
    out: Path,
    frozen: Path | None,
    validation: tuple[Path | None, Path | None],
    horizons: Sequence[float],
    standardize: str,
    alphas: Sequence[float],
    cohort: str | None,
    folds: tuple[int, int],
    seed: int,
    columns: Mapping[str, object],
) -> None:
    """Make or read the signature, validate it, and write files, record and report."""
    _check_files(frozen, validation)
    _check_horizons(horizons, judged=frozen is not None or validation[0] is not None)
    held = None if frozen is None else read_signature(frozen)
    title = "A risk signature of survival" if held is None else "A frozen risk signature, held against these patients"
    run = start_run("signature", title=title, clinical=clinical, expression=expression, columns=columns, out=out)
    run.seed = seed
    sections: tuple[Section, ...] = ()
    tables: dict[str, pd.DataFrame] = {}
    judged = None
    if held is None:
        options = SignatureOptions(alphas=alphas, folds=folds[0], outer_folds=folds[1])
        signature = _make(run, options, cohort=cohort, seed=seed)
        sections += (_signature_section(signature),)
        if validation[0] is not None and validation[1] is not None:
            judged = _Judged(_read_second(run, validation, columns), SECOND, horizons, standardize)
    else:
        signature = held
        judged = _Judged(run.read, "", horizons, standardize)
    tables[GENES] = gene_table(signature)
    if judged is not None and signature.sizes["gene"]:
        _check_units(judged.read.unit, signature, run, made=held is None)
        sections += _judge(run, signature, judged, tables, seed=seed)
    files = {SIGNATURE: lambda path: write_signature(signature, path, unit=run.read.unit)} if held is None else {}
    description = (
        f"{signature.sizes['gene']:,} genes; {run.patients.sizes['patient']:,} patients, {run.events:,} events."
    )
    run.finish(out, tables=tables, sections=sections, description=description, files=files)


def gene_table(signature: xr.Dataset) -> pd.DataFrame:
    """The genes of a signature, the heaviest first: ``gene, weight, coefficient, center, scale``."""
    values = {name: signature[f"risk_signature_{name}"].values for name in GENE_COLUMNS}
    table = pd.DataFrame({"gene": signature["gene"].values.astype(str), **values})
    return table.sort_values("weight", key=np.abs, ascending=False, kind="stable", ignore_index=True)


def validation_table(validated: xr.Dataset) -> pd.DataFrame:
    """What a validation says, one row per figure: ``measure, horizon, value, lower_95, upper_95, n, events``."""
    rows = []
    for name in map(str, validated.data_vars):
        values = validated[name]
        if values.dims not in {(), ("horizon",)} or name.endswith(
            ("_lower", "_upper", "_status", "_patients", "_events", "at_risk")
        ):
            continue
        for place, horizon in enumerate(validated["horizon"].values if values.dims else [np.nan]):
            bounds = [
                validated[f"{name}_{end}"].values.flat[place] if f"{name}_{end}" in validated else np.nan
                for end in ("lower", "upper")
            ]
            rows.append((name.removeprefix("validation_"), horizon, values.values.flat[place], *bounds))
    table = pd.DataFrame(rows, columns=["measure", "horizon", "value", "lower_95", "upper_95"])
    return table.assign(n=int(validated["validation_patients"]), events=int(validated["validation_events"]))


def _check_files(frozen: Path | None, validation: tuple[Path | None, Path | None]) -> None:
    if (validation[0] is None) != (validation[1] is None):
        message = (
            "A cohort for validation needs both tables. Got one; give --validate-clinical and --validate-expression."
        )
        raise ParameterError(message)
    if frozen is not None and validation[0] is not None:
        message = (
            "A frozen signature is held against the patients of --clinical and --expression. Got tables for validation, too; leave out "
            "--signature to make one, or the --validate tables."
        )
        raise ParameterError(message)


def _check_horizons(horizons: Sequence[float], *, judged: bool) -> None:
    if horizons and not judged:
        message = (
            "Horizons belong to a validation. Got --horizon without one; name a frozen --signature, or --validate-clinical and "
            "--validate-expression."
        )
        raise ParameterError(message)


def _make(run: SurvivalRun, options: SignatureOptions, *, cohort: str | None, seed: int) -> xr.Dataset:
    meant = run.read.columns
    complete = np.isfinite(run.patients["expression"].values).all(axis=0)
    if not complete.all():
        say(f"Left out: {int((~complete).sum()):,} genes (missing in some patients)")
    signature = run.perform(
        "signature",
        lambda: fit_risk_signature(
            run.patients.isel(gene=np.flatnonzero(complete)),
            duration=meant.time,
            event=meant.event,
            covariates=meant.covariates,
            cohort=meant.group if cohort else None,
            options=options,
            seed=seed,
        ),
    )
    worth = float(signature["risk_signature_concordance"])
    say(
        f"Signature: {signature.sizes['gene']:,} of {int(signature['risk_signature_candidates']):,} genes; concordance in patients left "
        f"out (nested cross-validation) {number_text(worth)}"
    )
    return signature


def _read_second(
    run: SurvivalRun, validation: tuple[Path | None, Path | None], columns: Mapping[str, object]
) -> FollowUp:
    clinical, expression = validation
    assert clinical is not None
    needed = {name: value for name, value in columns.items() if name not in {"covariates", "group"}}
    inputs = inputs_of(clinical, expression, of="validation ")
    if set(inputs.values()) <= set(run.inputs.values()):
        message = (
            "A cohort for validation must be another one than that of the signature. Got the same files; name tables of other patients "
            "(nested cross-validation already tells how the signature does in its own)."
        )
        raise InputError(message)
    read = read_follow_up(clinical, expression=expression, columns=FollowUpColumns(**needed))
    run.inputs |= inputs
    run.keep_flow(read, name=SECOND)
    say("Validation:")
    say_who(read)
    return read


def _check_units(unit: str, signature: xr.Dataset, run: SurvivalRun, *, made: bool) -> None:
    known = run.read.unit if made else str(signature.attrs.get("time_unit", ""))
    if unit and known and unit != known:
        message = (
            f"A signature predicts in the unit of time in which it was made. It was made in {known}, these times are in {unit}; "
            "convert them."
        )
        raise InputError(message)


def _judge(
    run: SurvivalRun, signature: xr.Dataset, judged: _Judged, tables: dict[str, pd.DataFrame], *, seed: int
) -> tuple[Section, ...]:
    patients, meant = judged.read.patients, judged.read.columns
    horizons = judged.horizons or _quarters(patients, meant)
    predicted = run.perform("risk", lambda: predict_risk(patients, signature=signature, standardize=judged.standardize))
    validated = run.perform(
        "validation",
        lambda: validate_risk(
            patients, signature=signature, duration=meant.time, event=meant.event, horizons=horizons,
            options=ValidationOptions(standardize=judged.standardize), seed=seed,
        ),
    )  # fmt: skip
    _check_scale(predicted, judged.standardize)
    tables[RISK] = pd.DataFrame({"patient": predicted["patient"].values, "score": predicted["risk_score"].values,
                                 "z": predicted["risk_zscore"].values, "high": predicted["risk_high"].values})  # fmt: skip
    tables[VALIDATION] = validation_table(validated)
    sections: tuple[Section, ...] = ()
    if judged.step:
        sections += (cohort_section(judged.read, step=judged.step, title="Who it is held against"),)
    concordance, ratio, p_value = (
        float(validated[f"validation_{name}"]) for name in ("concordance", "hazard_ratio", "p_value")
    )
    say(
        f"Concordance in {int(validated['validation_patients']):,} patients: {number_text(concordance)}; hazard ratio per standard "
        f"deviation {number_text(ratio)}, Wald {p_sentence(p_value)}"
    )
    return (*sections, _validation_section(validated, judged), *_curves_section(run, predicted, judged))


def _check_scale(predicted: xr.Dataset, standardize: str) -> None:
    """Tell that expression is on another scale than in training."""
    middle = float(np.nanmedian(predicted["risk_zscore"].values)) if predicted["risk_scored_patients"] else 0.0
    if standardize == "training" and abs(middle) > FAR:
        complain(
            f"Warning: half of these patients lie {abs(middle):.3g} or more standard deviations from the patients of the training cohort, "
            "so their expression is likely on another scale (counts for logarithms, another platform), and the predicted survival is "
            "worth nothing: bring it to the scale of training, or standardize within the cohort (--standardize cohort)."
        )


def _quarters(patients: xr.Dataset, meant: FollowUpColumns) -> tuple[float, ...]:
    happened = patients[meant.time].values[patients[meant.event].values]
    return (
        tuple(dict.fromkeys(float(value) for value in np.quantile(happened, QUARTERS, method="inverted_cdf")))
        if happened.size
        else ()
    )


def _curves_section(run: SurvivalRun, predicted: xr.Dataset, judged: _Judged) -> tuple[Section, ...]:
    meant = judged.read.columns
    scored = np.isfinite(predicted["risk_score"].values)
    grouped = judged.read.patients.drop_vars("expression").isel(patient=np.flatnonzero(scored))
    labels = np.where(predicted["risk_high"].values[scored], "high risk", "low risk")
    if len(set(labels)) < 2:
        return ()
    grouped = grouped.assign({RISK_GROUP: ("patient", labels)})
    run.perform(
        "curves",
        lambda: kaplan_meier(
            grouped,
            duration=meant.time,
            event=meant.event,
            group=RISK_GROUP,
            options=CurveOptions(confidence="log-log"),
        ),
    )
    run.perform("test", lambda: log_rank(grouped, duration=meant.time, event=meant.event, group=RISK_GROUP))
    unit = judged.read.unit or "unit not named"
    figure = {
        "kind": "survival_curves", "step": "curves", "log_rank": "test", "time_label": f"{meant.time} ({unit})",
        "caption": "Patients above and below the cut-off that was frozen with the signature.",
    }  # fmt: skip
    text = (
        "The cut-off was not chosen in these patients. Groups come last: what the signature says is a continuous risk."
    )
    return (Section(title="High and low risk", text=text, figures=(figure,)),)


def _signature_section(signature: xr.Dataset) -> Section:
    parameters = json.loads(signature.attrs["parameters"])
    worth, error, training = (
        number_text(float(signature[f"risk_signature_{name}"]))
        for name in ("concordance", "concordance_error", "training_concordance")
    )
    text = (
        f"An elastic-net Cox model chose {signature.sizes['gene']:,} of {int(signature['risk_signature_candidates']):,} genes. In "
        f"patients who had no part in any choice (nested cross-validation, {parameters['options']['outer_folds']} outer folds) its "
        f"concordance is {worth}, standard error {error}; in the patients it was made from it is {training}, which is optimistic."
    )
    genes = [f"risk_signature_{name}" for name in GENE_COLUMNS]
    whole = [
        "risk_signature_patients", "risk_signature_events", "risk_signature_candidates", "risk_signature_genes", "risk_signature_alpha",
        "risk_signature_chosen_lambda", "risk_signature_concordance", "risk_signature_concordance_error",
        "risk_signature_training_concordance", "risk_signature_cutoff", "risk_signature_cutoff_scale",
    ]  # fmt: skip
    tables = (
        {"step": "signature", "variables": genes, "sort": genes[0], "descending": True, "rows": 50,
         "caption": f"Genes with their weights; with all digits in {SIGNATURE}."},
        {"step": "signature", "variables": whole, "caption": "The signature as a whole."},
    )  # fmt: skip
    return Section(title="The signature", text=text, tables=tables)


def _validation_section(validated: xr.Dataset, judged: _Judged) -> Section:
    shown = {str(name) for name in validated.data_vars}
    first = [
        "validation_patients", "validation_events", "validation_hazard_ratio", "validation_hazard_ratio_lower",
        "validation_hazard_ratio_upper", "validation_p_value", "validation_concordance", "validation_concordance_lower",
        "validation_concordance_upper", "validation_uno_concordance", "validation_uno_concordance_lower",
        "validation_uno_concordance_upper", "validation_calibration_slope", "validation_calibration_slope_lower",
        "validation_calibration_slope_upper",
    ]  # fmt: skip
    later = [
        "validation_horizon_events", "validation_at_risk", "validation_auc", "validation_auc_lower", "validation_auc_upper",
        "validation_survival", "validation_predicted_survival", "validation_brier", "validation_brier_null",
    ]  # fmt: skip
    text = (
        f"The risk comes first as it is, per standard deviation; nothing was learned in these patients. Genes are standardized by the "
        f"{judged.standardize} cohort. Limits of concordance, areas and Brier scores are those of 1,000 bootstrap cohorts."
    )
    tables = (
        {
            "step": "validation",
            "variables": [name for name in first if name in shown],
            "caption": f"Discrimination and calibration; {VALIDATION}.",
        },
        {
            "step": "validation",
            "variables": [name for name in later if name in shown],
            "caption": "At the horizons, in the unit of time.",
        },
        {
            "step": "validation",
            "variables": ["validation_flow_patients", "validation_flow_events"],
            "caption": "Who was left out, and why.",
        },
    )
    axis = f"{judged.read.columns.time} ({judged.read.unit or 'unit not named'})"
    figures: tuple[dict[str, object], ...] = (
        {"kind": "auc_over_time", "step": "validation", "time_label": axis,
         "caption": "How well the risk tells who has the event by a time from who lives beyond it; 0.5 is a coin."},
        {"kind": "survival_calibration", "step": "validation",
         "caption": "Predicted and observed shares with the event, in groups of rising risk."},
        {"kind": "brier_over_time", "step": "validation", "time_label": axis,
         "caption": "Error of predicted survival, beside that of one curve for everybody."},
    )  # fmt: skip
    return Section(title="Validation", text=text, figures=figures, tables=tables)
