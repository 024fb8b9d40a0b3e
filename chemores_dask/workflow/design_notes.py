"""The table ``[design]`` of a pipeline file: what the audit cannot read off the steps.

::

    [design]
    batches = ["batch"]
    [[design.family]]
    name = "primary"
    steps = ["expansion", "survival_model"]
    correction = "holm"
    [[design.signature]]
    name = "stemness"
    patients = ["P1", "P2"]
    labels = ["stage"]
    [[design.outcome]]
    step = "survival_model"
    origin = "diagnosis"
    score_known = "surgery"

It is for the audit only: no result depends on it.
"""

from __future__ import annotations

from chemores_dask.auditor.study_design import CORRECTIONS
from chemores_dask.checks import listed
from chemores_dask.errors import PipelineFileError
from chemores_dask.workflow.steps import DesignNotes, NotedFamily, NotedOutcome, NotedSignature, Pipeline
from chemores_dask.workflow.toml_tables import TomlTable, close_names


def read_design_notes(top: TomlTable) -> DesignNotes:
    """Read the table.

    Parameters
    ----------
    top
        The pipeline file.

    Returns
    -------
    What it says; nothing where it is absent.

    Raises
    ------
    PipelineFileError
        Naming the table, the key and what was expected there.
    """
    table = top.table("design").only("batches", "family", "signature", "outcome")
    return DesignNotes(
        batches=table.texts("batches", default=()),
        families=tuple(_family(each) for each in table.tables("family", named="name")),
        signatures=tuple(_signature(each) for each in table.tables("signature", named="name")),
        outcomes=tuple(_outcome(each) for each in table.tables("outcome", named="step")),
    )


def check_design_notes(pipeline: Pipeline, top: TomlTable) -> None:
    """Refuse notes about steps or gene sets that the pipeline does not have.

    Parameters
    ----------
    pipeline
        The pipeline.
    top
        Its file, for messages.

    Raises
    ------
    PipelineFileError
        Naming what is there; also if two families have the same name, or a step belongs to two.
    """
    steps = [step.name for step in pipeline.steps]
    named = [(step, f"family {family.name!r}") for family in pipeline.design.families for step in family.steps]
    for step, reader in [*named, *((outcome.step, "an outcome") for outcome in pipeline.design.outcomes)]:
        _check(step, steps, reader=reader, top=top)
    for signature in pipeline.design.signatures:
        _check(signature.name, pipeline.gene_sets.names, reader="a signature", top=top)
    for names, what in (
        ([step for step, _ in named], "A step must belong to one family"),
        ([family.name for family in pipeline.design.families], "Families must have different names"),
    ):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            message = f"In {top.file}: {what} of [design]. Found more than once: {listed(twice)}; keep one."
            raise PipelineFileError(message)


def _check(name: str, known: list[str] | tuple[str, ...], *, reader: str, top: TomlTable) -> None:
    if name not in known:
        message = (
            f"In {top.file}: {reader} of [design] must name something that exists. Got {name!r}; present: {listed(known)}."
            f"{close_names(name, known)}"
        )
        raise PipelineFileError(message)


def _family(table: TomlTable) -> NotedFamily:
    table.only("name", "steps", "correction")
    correction = table.text("correction")
    if correction not in CORRECTIONS:
        table.fail(
            "correction", expected=f"must be one of: {listed(name for name in CORRECTIONS if name)}", found=correction
        )
    return NotedFamily(table.text("name"), table.texts("steps"), correction)


def _signature(table: TomlTable) -> NotedSignature:
    table.only("name", "patients", "labels")
    return NotedSignature(table.text("name"), table.texts("patients", default=()), table.texts("labels", default=()))


def _outcome(table: TomlTable) -> NotedOutcome:
    table.only("step", "origin", "score_known")
    return NotedOutcome(table.text("step"), table.text("origin"), table.text("score_known"))
