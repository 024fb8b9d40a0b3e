"""Published or planted figures, held against ours.

::

    [[claim]]
    name = "share of stem-like cells at relapse"
    step = "expansion"
    variable = "composition_share_after"
    select = { patient = "P2" }
    value = 0.2647
    lower = 0.25
    upper = 0.28
    source = "…"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import xarray as xr

from chemores_dask.aliases import StorePath
from chemores_dask.checks import listed
from chemores_dask.errors import InputError, PipelineFileError
from chemores_dask.workflow.catalogue import check_variable
from chemores_dask.workflow.inputs import pick, read_variable
from chemores_dask.workflow.record import ClaimOutcome
from chemores_dask.workflow.steps import Pipeline, Reference
from chemores_dask.workflow.toml_tables import TomlTable, close_names, read_toml


@dataclass(frozen=True)
class Claim:
    """A figure that a result should reproduce.

    Attributes
    ----------
    name
        What is claimed, as a person would say it.
    reference
        Where ours is read.
    value, lower, upper
        The figure, and the interval in which ours must lie.
    select
        Label along each dimension of the variable.
    source
        Where the figure comes from.
    """

    name: str
    reference: Reference
    value: float
    lower: float
    upper: float
    select: Mapping[str, object] = field(default_factory=dict)
    source: str = ""


def read_claims(path: StorePath) -> tuple[Claim, ...]:
    """Read a file of claims.

    Parameters
    ----------
    path
        TOML file with tables ``[[claim]]``.

    Returns
    -------
    The claims in order.

    Raises
    ------
    PipelineFileError
        Naming the claim, the key and what was expected there.
    """
    top = read_toml(path, what="A file of claims")
    top.only("claim")
    return tuple(_claim(table) for table in top.tables("claim", named="name"))


def check_claims(claims: Sequence[Claim], pipeline: Pipeline) -> None:
    """Refuse claims about steps or variables that the pipeline does not have, before anything runs.

    Raises
    ------
    PipelineFileError
        Naming the claim and what there is.
    """
    steps = {step.name: step for step in pipeline.steps}
    for claim in claims:
        if claim.reference.step not in steps:
            message = (
                f"The claim {claim.name!r} must name a step of the pipeline. Got {claim.reference.step!r}; "
                f"present: {listed(steps)}.{close_names(claim.reference.step, steps)}"
            )
            raise PipelineFileError(message)
        check_variable(claim.reference, steps[claim.reference.step], reader=f"The claim {claim.name!r}")


def compare_claims(claims: Sequence[Claim], *, results: Mapping[str, xr.Dataset]) -> tuple[ClaimOutcome, ...]:
    """Hold claims against results.

    Parameters
    ----------
    claims
        What is claimed.
    results
        Results by the name of their step.

    Returns
    -------
    One outcome per claim, in order. A figure of ours that is not a number does not hold.

    Raises
    ------
    InputError
        If a claim does not lead to one number.
    """
    return tuple(_compare(claim, results) for claim in claims)


def _compare(claim: Claim, results: Mapping[str, xr.Dataset]) -> ClaimOutcome:
    values = pick(read_variable(claim.reference, results=results), claim.select, what=str(claim.reference))
    if values.ndim or values.dtype.kind not in "fiub":
        message = (
            f"The claim {claim.name!r} must lead to one number. {claim.reference} still runs over {listed(values.dims)} "
            f"and is {values.dtype}; pick labels with 'select'."
        )
        raise InputError(message)
    return ClaimOutcome(
        name=claim.name,
        source=claim.source,
        expected=claim.value,
        lower=claim.lower,
        upper=claim.upper,
        found=float(values.values),
        step=claim.reference.step,
        variable=claim.reference.variable,
    )


def _claim(table: TomlTable) -> Claim:
    table.only("name", "step", "variable", "select", "value", "lower", "upper", "source")
    value, lower, upper = table.number("value"), table.number("lower"), table.number("upper")
    if not lower <= upper:
        table.fail("lower", expected=f"must be at most 'upper', {upper}", found=lower)
    return Claim(
        name=table.text("name"),
        reference=Reference(table.text("step"), table.text("variable")),
        value=value,
        lower=lower,
        upper=upper,
        select=table.table("select").values,
        source=table.text("source", default=""),
    )
