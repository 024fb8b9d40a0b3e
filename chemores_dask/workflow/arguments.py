"""Parameters of a pipeline file held against the signature of the analysis, before anything runs."""

from __future__ import annotations

import dataclasses
import fnmatch
import inspect
import math
import types
import typing
from collections.abc import Collection, Mapping

import numpy as np
import xarray as xr

from chemores_dask.checks import listed
from chemores_dask.errors import ChemoresError, PipelineFileError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.workflow.catalogue import Analysis
from chemores_dask.workflow.steps import Reference
from chemores_dask.workflow.toml_tables import KIND_NAMES, close_names

EVERY = "*"
"""In a name of gene sets: any text, as in ``HALLMARK_*``."""

SCALARS = (str, bool, int, float)
TO_VARIABLE = 'a reference such as "@step.variable"'
REFERRED = {np.ndarray: TO_VARIABLE, xr.DataArray: TO_VARIABLE, xr.Dataset: 'a reference to a result such as "@step"'}
"""What a file cannot say: these come by reference."""


def bind_parameters(
    function: Analysis, given: Mapping[str, object], *, gene_sets: GeneSets, seed: int, step: str
) -> dict[str, object]:
    """Turn the parameters of a step into arguments.

    Parameters
    ----------
    function
        The analysis; its first argument is the input and is not looked at.
    given
        Plain values and references by name. Gene sets are given by their names, dataclasses as tables.
    gene_sets
        The gene sets of the pipeline. A name with ``*`` stands for all that fit, in their order.
    seed
        Used where the analysis takes a seed and none is given.
    step
        Name of the step, for messages.

    Returns
    -------
    Every parameter by name, defaults included; references stay as they are.

    Raises
    ------
    PipelineFileError
        If a parameter is unknown, missing, or of another type.
    """
    hints = typing.get_type_hints(function)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    names = [parameter.name for parameter in parameters]
    for name in given:
        if name not in names:
            message = (
                f"Step {step!r} gives {name!r}, which {function.__name__} does not take. It takes: {listed(names)}."
            )
            raise PipelineFileError(message + close_names(name, names))
    bound: dict[str, object] = {}
    for parameter in parameters:
        place = f"The parameter {parameter.name!r} of step {step!r}"
        if parameter.name in given:
            bound[parameter.name] = _convert(given[parameter.name], hints.get(parameter.name), place, gene_sets)
        elif parameter.name == "seed":
            bound["seed"] = seed
        elif parameter.default is inspect.Parameter.empty:
            message = f"{place} is required by {function.__name__} and is missing. Add it to the table of parameters."
            raise PipelineFileError(message)
        else:
            bound[parameter.name] = parameter.default
    return bound


def plain_parameters(arguments: Mapping[str, object]) -> dict[str, object]:
    """Write arguments as plain values, for fingerprints and records.

    Parameters
    ----------
    arguments
        As made by :func:`bind_parameters`.

    Returns
    -------
    Plain values by name; references as ``"@step.variable"`` or ``"@step"``, numbers that are not finite as text.
    """
    return {name: _plain(value) for name, value in arguments.items()}


def labeled_parameters(function: Analysis) -> frozenset[str]:
    """Names of the parameters of an analysis that may be labeled arrays, and so are handed over as these.

    Parameters
    ----------
    function
        The analysis.
    """
    hints = typing.get_type_hints(function)
    hints.pop("return", None)
    return frozenset(name for name, hint in hints.items() if xr.DataArray in (hint, *typing.get_args(hint)))


def _plain(value: object) -> object:
    if isinstance(value, Reference):
        return f"@{value}"
    if isinstance(value, GeneSets):
        return [{"name": s.name, "up": s.up, "down": s.down, "weights": dict(s.weights)} for s in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _convert(value: object, hint: object, place: str, gene_sets: GeneSets) -> object:
    if isinstance(value, Reference):
        return _referred(value, hint, place)
    if hint is None:
        return value
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _convert_union(value, typing.get_args(hint), place, gene_sets)
    if hint in REFERRED:
        _refuse(place, REFERRED[typing.cast("type", hint)], value)
    if hint is GeneSets:
        return _named_gene_sets(value, place, gene_sets)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(value, hint, place, gene_sets)
    if hint in SCALARS or origin is typing.Literal:
        return _scalar(value, hint, place)
    container = origin if isinstance(origin, type) else hint
    if isinstance(container, type) and issubclass(container, Collection):
        return _filled(value, container, hint, place, gene_sets)
    return tuple(value) if isinstance(value, list) else value


def _filled(value: object, container: type, hint: object, place: str, gene_sets: GeneSets) -> object:
    if issubclass(container, Mapping):
        return value if isinstance(value, dict) else _refuse(place, "a table", value)
    items = value if isinstance(value, list) else _refuse(place, "a list", value)
    inner = next((argument for argument in typing.get_args(hint) if argument is not Ellipsis), None)
    return tuple(_convert(item, inner, place, gene_sets) for item in items)


def _referred(reference: Reference, hint: object, place: str) -> Reference:
    """Hold a reference to a whole result, or to a variable of it, against what the parameter takes."""
    kinds = (hint, *typing.get_args(hint))
    if not reference.variable and xr.Dataset not in kinds:
        _refuse(place, 'a reference to a variable such as "@step.variable"', f"@{reference}")
    if reference.variable and hint is xr.Dataset:
        _refuse(place, 'a reference to a whole result such as "@step"', f"@{reference}")
    return reference


def _convert_union(value: object, options: tuple[object, ...], place: str, gene_sets: GeneSets) -> object:
    reasons = []
    sayable = [option for option in options if option not in (type(None), *REFERRED)]
    for option in sayable or options[:1]:
        try:
            return _convert(value, option, place, gene_sets)
        except PipelineFileError as error:
            reasons.append(str(error))
    raise PipelineFileError(" ".join(reasons))


def _scalar(value: object, hint: object, place: str) -> object:
    if typing.get_origin(hint) is typing.Literal:
        options = typing.get_args(hint)
        return value if value in options else _refuse(place, f"one of: {listed(options)}", value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if (isinstance(value, bool) and hint is not bool) or not isinstance(value, typing.cast("type", hint)):
        return _refuse(place, KIND_NAMES[typing.cast("type", hint)], value)
    return value


def _build(value: object, kind: type, place: str, gene_sets: GeneSets) -> object:
    table = value if isinstance(value, dict) else _refuse(place, "a table", value)
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind) if field.init]
    for name in table:
        if name not in names:
            message = f"{place} has no key {name!r}. Known keys: {listed(names)}.{close_names(name, names)}"
            raise PipelineFileError(message)
    fields = {name: _convert(item, hints[name], f"{place}, key {name!r},", gene_sets) for name, item in table.items()}
    try:
        return kind(**fields)
    except (ChemoresError, TypeError) as error:
        message = f"{place} cannot be made into {kind.__name__}. {error}"
        raise PipelineFileError(message) from error


def _named_gene_sets(value: object, place: str, gene_sets: GeneSets) -> GeneSets:
    names = value if isinstance(value, list) else _refuse(place, "a list of names of gene sets", value)
    known = {gene_set.name: gene_set for gene_set in gene_sets}
    chosen: dict[str, GeneSet] = {}
    for name in names:
        found = fnmatch.filter(known, name) if EVERY in str(name) else [one for one in known if one == name]
        if not found:
            message = (
                f"{place} must name gene sets of the pipeline. Got {name!r}; present: {listed(known)}."
                f"{close_names(str(name), known)}"
            )
            raise PipelineFileError(message)
        chosen.update((one, known[one]) for one in found)
    return GeneSets(tuple(chosen.values()))


def _refuse(place: str, expected: str, value: object) -> typing.NoReturn:
    message = f"{place} must be {expected}. Got {value!r}."
    raise PipelineFileError(message)
