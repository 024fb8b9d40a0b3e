"""The commands below ``chemores survival``: signatures and help, and nothing that takes long to import."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from chemores_dask.cli.many_values import TakingManyValues

Perform = Callable[..., None]

WHAT = "Survival of patients in tables: genome-wide Cox regression, Cox models, Kaplan-Meier curves, risk signatures."


class Ties(StrEnum):
    """How tied deaths share the partial likelihood."""

    efron = "efron"
    breslow = "breslow"


class TimeUnit(StrEnum):
    """Units of follow-up times."""

    days = "days"
    weeks = "weeks"
    months = "months"
    years = "years"


class Confidence(StrEnum):
    """Scales of the limits of a curve."""

    log = "log"
    log_log = "log-log"
    plain = "plain"


class Standardization(StrEnum):
    """Whose mean and deviation the genes of a signature have."""

    training = "training"
    cohort = "cohort"


class TakingManyColumns(TakingManyValues):
    """A command whose options of columns take several values at once."""

    options_with_values = ("--covariates", "--strata", "--event-value", "--allow-column", "--horizon", "--alpha")


Clinical = Annotated[
    Path,
    typer.Option(
        help="Clinical table (CSV, TSV or Parquet; .gz too), one row per patient.", show_default=False, metavar="FILE"
    ),
]
Expression = Annotated[
    Path,
    typer.Option(
        help="Expression (CSV, TSV or Parquet; .gz too): genes x samples or samples x genes, told apart by the clinical identifiers.",
        show_default=False,
        metavar="FILE",
    ),
]
MaybeExpression = Annotated[
    Path | None,
    typer.Option(help="Expression, as for scan; genes can then be named like columns.", metavar="FILE"),
]
Time = Annotated[str, typer.Option(help="Column with the end of follow-up.", show_default=False, metavar="COLUMN")]
Event = Annotated[
    str,
    typer.Option(
        help="Column that says whether follow-up ended in the event: 0/1, true/false, yes/no, Dead/Alive, 1:DECEASED/0:LIVING, "
        "Relapse/No relapse, Event/Censored.",
        show_default=False,
        metavar="COLUMN",
    ),
]
Out = Annotated[Path, typer.Option(help="Folder for tables, record and report.", show_default=False, metavar="DIR")]
EventValue = Annotated[
    list[str] | None,
    typer.Option(help="Entry that is the event, where the column does not say (such as 2 of 1/2); all others are censored.",
                 metavar="VALUE …"),
]  # fmt: skip
Unit = Annotated[
    TimeUnit | None,
    typer.Option(help="Unit of the times, unless the name of the column says it. Never guessed, never converted."),
]
Sample = Annotated[
    str | None,
    typer.Option(help="Column that names the samples; found by its usual names unless given.", metavar="COLUMN"),
]
Start = Annotated[
    str | None,
    typer.Option(help="Column with the start of follow-up (late entry, or intervals of a patient).", metavar="COLUMN"),
]
Strata = Annotated[
    list[str] | None,
    typer.Option(help="Columns whose groups have hazards of their own; patients are compared within them.",
                 metavar="COLUMN …"),
]  # fmt: skip
Covariates = Annotated[
    list[str] | None,
    typer.Option(help="Columns that stand beside every gene; text becomes an indicator for every level but the first.",
                 metavar="COLUMN …"),
]  # fmt: skip
Weights = Annotated[str | None, typer.Option(help="Column with case weights.", metavar="COLUMN")]
Cluster = Annotated[
    str | None,
    typer.Option(help="Column of what belongs together (a patient, a center): errors are robust.", metavar="COLUMN"),
]
SampleSuffix = Annotated[
    str | None,
    typer.Option(help="Of samples whose name goes on behind the patient's, only those that go on like this are used (01 for primary "
                 "tumors of TCGA).", metavar="TEXT"),
]  # fmt: skip
Origin = Annotated[
    str | None,
    typer.Option(help="Column of dates, or one date (YYYY-MM-DD), from which calendar dates of --time are counted in days.",
                 metavar="COLUMN|DATE"),
]  # fmt: skip
DateFormat = Annotated[
    str | None,
    typer.Option(help="How calendar dates are written, such as DD/MM/YYYY, where they can be read in two ways."),
]
SecondExpression = Annotated[Path | None, typer.Option(help="Expression of an independent cohort.", metavar="FILE")]
Folds = Annotated[int, typer.Option(min=2, help="Folds in which the penalty is chosen; each needs an event.")]
OuterFolds = Annotated[
    int, typer.Option(min=2, help="Folds that are left out of all choices, to tell what the signature is worth.")
]
AllowColumn = Annotated[
    list[str] | None,
    typer.Option(help="Column that looks like an identifier of persons, and is none.", metavar="COLUMN …"),
]
ChosenTies = Annotated[Ties, typer.Option(help="How tied deaths are treated.")]


def survival_app(perform: Perform) -> typer.Typer:
    """The commands below ``chemores survival``.

    Parameters
    ----------
    perform
        Imports the module of a command and calls it.
    """
    app = typer.Typer(no_args_is_help=True, help=WHAT, context_settings={"help_option_names": ["-h", "--help"]})
    _add_scan(app, perform)
    _add_model(app, perform)
    _add_km(app, perform)
    _add_signature(app, perform)
    return app


def _add_scan(app: typer.Typer, perform: Perform) -> None:
    @app.command(cls=TakingManyColumns)
    def scan(
        *,
        expression: Expression,
        clinical: Clinical,
        time: Time,
        event: Event,
        out: Out,
        sample: Sample = None,
        sample_suffix: SampleSuffix = None,
        time_unit: Unit = None,
        event_value: EventValue = None,
        ties: ChosenTies = Ties.efron,
        strata: Strata = None,
        covariates: Covariates = None,
        start: Start = None,
        weights: Weights = None,
        cluster: Cluster = None,
        origin: Origin = None,
        date_format: DateFormat = None,
        allow_column: AllowColumn = None,
    ) -> None:
        """Cox regression on every gene in turn: cox_scan.csv and a report.

        With --cluster, standard_error, z and p are robust. Coefficient, error and hazard ratio of a gene with the status
        separated are Firth's; it has no z, p and q: rely on p_likelihood_ratio and p_score, which hold.
        """
        perform(
            "survival_scan",
            clinical=clinical, expression=expression, out=out, ties=ties.value,
            columns=_columns(
                time=time, event=event, event_values=event_value, unit=time_unit, sample=sample,
                sample_suffix=sample_suffix, start=start, strata=strata,
                covariates=covariates, weights=weights, cluster=cluster, origin=origin, date_format=date_format,
                allow=allow_column,
            ),
        )  # fmt: skip


def _add_model(app: typer.Typer, perform: Perform) -> None:
    @app.command(cls=TakingManyColumns)
    def model(
        *,
        clinical: Clinical,
        time: Time,
        event: Event,
        covariates: Annotated[
            list[str],
            typer.Option(help="Columns of the model, or genes with --expression; text becomes an indicator for every level but the "
                         "first.", show_default=False, metavar="COLUMN …"),
        ],
        out: Out,
        expression: MaybeExpression = None,
        sample: Sample = None,
        sample_suffix: SampleSuffix = None,
        time_unit: Unit = None,
        event_value: EventValue = None,
        ties: ChosenTies = Ties.efron,
        strata: Strata = None,
        start: Start = None,
        weights: Weights = None,
        cluster: Cluster = None,
        robust: Annotated[bool, typer.Option("--robust", help="Robust errors, each row by itself.")] = False,
        firth: Annotated[
            bool, typer.Option("--firth", help="Firth's penalty: coefficients stay finite where columns separate patients.")
        ] = False,
        origin: Origin = None,
        date_format: DateFormat = None,
        allow_column: AllowColumn = None,
    ) -> None:  # fmt: skip
        """Cox model of several columns or genes: cox_model.csv and a report.

        Repeated in every row: log_likelihood, p_likelihood_ratio and p_score of the whole model. q is Benjamini-Hochberg
        over the terms. z, p and limits rest on the robust errors where there are any.
        """
        perform(
            "survival_model",
            clinical=clinical, expression=expression, out=out, ties=ties.value, robust=robust, firth=firth,
            columns=_columns(
                time=time, event=event, event_values=event_value, unit=time_unit, sample=sample,
                sample_suffix=sample_suffix, start=start, strata=strata,
                covariates=covariates, weights=weights, cluster=cluster, origin=origin, date_format=date_format,
                allow=allow_column,
            ),
        )  # fmt: skip


def _add_km(app: typer.Typer, perform: Perform) -> None:
    @app.command(cls=TakingManyColumns)
    def km(
        *,
        clinical: Clinical,
        time: Time,
        event: Event,
        out: Out,
        group: Annotated[
            str | None,
            typer.Option(help="Column that splits the patients, or a gene with --expression: above its median or not.",
                         metavar="COLUMN"),
        ] = None,
        expression: MaybeExpression = None,
        sample: Sample = None,
        sample_suffix: SampleSuffix = None,
        time_unit: Unit = None,
        event_value: EventValue = None,
        strata: Strata = None,
        start: Start = None,
        confidence: Annotated[Confidence, typer.Option(help="Scale of the limits; log is R's.")] = Confidence.log,
        origin: Origin = None,
        date_format: DateFormat = None,
        allow_column: AllowColumn = None,
    ) -> None:  # fmt: skip
        """Kaplan-Meier curves and the log-rank test: km_curves.csv, km_summary.csv, log_rank.csv and a report."""
        perform(
            "survival_km",
            clinical=clinical, expression=expression, out=out, confidence=confidence.value,
            columns=_columns(
                time=time, event=event, event_values=event_value, unit=time_unit, sample=sample,
                sample_suffix=sample_suffix, start=start, strata=strata,
                group=group, origin=origin, date_format=date_format, allow=allow_column,
            ),
        )  # fmt: skip


def _add_signature(app: typer.Typer, perform: Perform) -> None:
    @app.command(cls=TakingManyColumns)
    def signature(
        *,
        expression: Expression,
        clinical: Clinical,
        time: Time,
        event: Event,
        out: Out,
        signature: Annotated[
            Path | None,
            typer.Option(help="Frozen signature (signature.json) to apply to these patients; without it one is made from them.",
                         metavar="FILE"),
        ] = None,
        validate_expression: SecondExpression = None,
        validate_clinical: Annotated[
            Path | None, typer.Option(help="Clinical table of that cohort, with the same names of columns.", metavar="FILE")
        ] = None,
        horizon: Annotated[
            list[float] | None,
            typer.Option(help="Times at which predictions are judged; unless given, those by which a quarter, a half and three quarters "
                         "of the events have happened.", metavar="TIME …"),
        ] = None,
        standardize: Annotated[
            Standardization,
            typer.Option(help="Whose mean and deviation genes have: those of training, or for another platform of the cohort itself."),
        ] = Standardization.training,
        alpha: Annotated[
            list[float] | None,
            typer.Option(help="Share of absolute values in the penalty, 1 for the lasso; of several the best is chosen.",
                         metavar="SHARE …"),
        ] = None,
        covariates: Covariates = None,
        cohort: Annotated[
            str | None, typer.Option(help="Column of cohorts, which are left out whole in cross-validation.", metavar="COLUMN")
        ] = None,
        folds: Folds = 10,
        outer_folds: OuterFolds = 5,
        seed: Annotated[int, typer.Option(help="Seed of folds and of the bootstrap.")] = 1,
        sample: Sample = None,
        sample_suffix: SampleSuffix = None,
        time_unit: Unit = None,
        event_value: EventValue = None,
        origin: Origin = None,
        date_format: DateFormat = None,
        allow_column: AllowColumn = None,
    ) -> None:  # fmt: skip
        """Make a risk signature, or apply a frozen one, and validate it: signature.json, signature_genes.csv, risk.csv, validation.csv.

        A signature is made by an elastic-net Cox model; nested cross-validation says what it is worth in new patients.
        """
        perform(
            "survival_signature",
            clinical=clinical, expression=expression, out=out, frozen=signature, horizons=tuple(horizon or ()),
            validation=(validate_clinical, validate_expression), standardize=standardize.value, alphas=tuple(alpha or (1.0,)),
            cohort=cohort, folds=(folds, outer_folds), seed=seed,
            columns=_columns(
                time=time, event=event, event_values=event_value, unit=time_unit, sample=sample, sample_suffix=sample_suffix,
                covariates=covariates, group=cohort, origin=origin, date_format=date_format, allow=allow_column,
            ),
        )  # fmt: skip


def _columns(**given: Any) -> dict[str, Any]:
    """Settings of :class:`~chemores_dask.ingest.follow_up.FollowUpColumns`, as plain values: lists as tuples, without None."""
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if value is not None
    }
