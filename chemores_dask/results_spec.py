"""What an analysis promises to return: variables with dimensions, kind and unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import dask.array as da
import numpy as np
import xarray as xr

from chemores_dask.errors import VariableSpecError
from chemores_dask.provenance import canonical_json

KINDS = {"f": "float", "i": "integer", "b": "boolean", "U": "text"}


@dataclass(frozen=True)
class Variable:
    """A declared variable of a result.

    Attributes
    ----------
    name
        ``<dimension or method>_<quantity>``, unique in the package.
    dims
        Names of its dimensions, singular.
    kind
        ``"f"`` float64, ``"i"`` int64 (or narrower), ``"b"`` boolean, ``"U"`` text.
    unit
        Unit in words; ``"1"`` for pure numbers.
    doc
        One sentence for what the unit does not say.
    flags
        For integer variables that code a status: the meaning of 0, 1, 2 and so on.
    optional
        True if the variable is only there for some parameters.
    """

    name: str
    dims: tuple[str, ...]
    kind: str
    unit: str = "1"
    doc: str = ""
    flags: tuple[str, ...] = ()
    optional: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            message = f"The kind of a variable must be one of {', '.join(KINDS)}. Got {self.kind!r} for {self.name!r}."
            raise VariableSpecError(message)


@dataclass(frozen=True)
class ResultSpec:
    """The declared variables of one analysis."""

    variables: tuple[Variable, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Variable]:
        """The variables by name."""
        return {variable.name: variable for variable in self.variables}


def declare(*variables: Variable) -> ResultSpec:
    """Declare what an analysis returns.

    Parameters
    ----------
    variables
        The variables, with unique names.
    """
    names = [variable.name for variable in variables]
    if len(set(names)) != len(names):
        message = f"Variables of a result must have unique names. Got {names}."
        raise VariableSpecError(message)
    return ResultSpec(tuple(variables))


def make_result(
    spec: ResultSpec,
    values: Mapping[str, object],
    *,
    analysis: str,
    parameters: Mapping[str, object],
    coordinates: Mapping[str, object],
    attributes: Mapping[str, object] | None = None,
) -> xr.Dataset:
    """Build the Dataset that an analysis returns, and hold it against its declaration.

    Parameters
    ----------
    spec
        The declaration.
    values
        Arrays (numpy or dask) by the name of the variable.
    analysis
        Name of the analysis.
    parameters
        Its parameters as plain values; kept in the attributes as JSON.
    coordinates
        Labels of dimensions. Every dimension with names (cell, gene, patient, …) should have them.
    attributes
        Further attributes of the Dataset, plain values.

    Returns
    -------
    Dataset with the declared variables; attributes ``analysis`` and ``parameters``; each variable carries ``units``,
    ``long_name`` and, for a status, ``flag_values`` and ``flag_meanings``.

    Raises
    ------
    VariableSpecError
        If a variable is undeclared, missing, or has other dimensions or another kind.
    """
    variables = {}
    for name, array in values.items():
        if name not in spec.by_name:
            message = f"A result holds declared variables only. {name!r} is not declared by {analysis}."
            raise VariableSpecError(message)
        variables[name] = _as_variable(spec.by_name[name], array)
    dataset = xr.Dataset(variables, coords=dict(coordinates))
    dataset.attrs = {"analysis": analysis, "parameters": canonical_json(parameters), **(attributes or {})}
    check_result(spec, dataset)
    return dataset


def check_result(spec: ResultSpec, result: xr.Dataset) -> None:
    """Hold a result against its declaration.

    Raises
    ------
    VariableSpecError
        If a variable is undeclared or missing, or has other dimensions or another kind.
    """
    undeclared = [str(name) for name in result.data_vars if name not in spec.by_name]
    missing = [v.name for v in spec.variables if not v.optional and v.name not in result.data_vars]
    if undeclared or missing:
        message = (
            f"A result must hold its declared variables and no others. Undeclared: {undeclared}; missing: {missing}."
        )
        raise VariableSpecError(message)
    for name in result.data_vars:
        variable = spec.by_name[str(name)]
        found = result[name]
        kind = "U" if found.dtype.kind in "OUT" else "i" if found.dtype.kind == "u" else found.dtype.kind
        if found.dims != variable.dims or kind != variable.kind:
            message = (
                f"The variable {name!r} must run over {variable.dims} and be {KINDS[variable.kind]}. "
                f"Found dimensions {found.dims} and type {found.dtype}."
            )
            raise VariableSpecError(message)


def _as_variable(variable: Variable, array: object) -> xr.Variable:
    data = array if isinstance(array, (np.ndarray, da.Array)) else np.asarray(array)
    if variable.kind == "U" and isinstance(data, np.ndarray) and data.dtype.kind in "UT":
        data = data.astype(object)
    attributes: dict[str, object] = {"units": variable.unit}
    if variable.doc:
        attributes["long_name"] = variable.doc
    if variable.flags:
        attributes["flag_values"] = list(range(len(variable.flags)))
        attributes["flag_meanings"] = " ".join(variable.flags)
    if len(variable.dims) != data.ndim:
        message = f"The variable {variable.name!r} must run over {variable.dims}. Found an array of shape {data.shape}."
        raise VariableSpecError(message)
    return xr.Variable(variable.dims, data, attributes)
