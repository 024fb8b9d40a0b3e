"""Which steps of a pipeline must run, in which order, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NoReturn

from chemores_dask.checks import listed
from chemores_dask.errors import PipelineFileError
from chemores_dask.provenance import fingerprint
from chemores_dask.workflow.arguments import bind_parameters, plain_parameters
from chemores_dask.workflow.catalogue import COUNTS, EITHER, RESULT, CatalogueEntry, check_variable, find_analysis
from chemores_dask.workflow.gene_views import check_gene_view, check_view_by_gene
from chemores_dask.workflow.steps import CELLS, PATIENTS, Join, Pipeline, Step, View, references_of
from chemores_dask.workflow.toml_tables import close_names

VIEW_REVISION = 1
"""Raised when views give other cells or other values."""


@dataclass(frozen=True)
class EarlierResult:
    """A result that is in the store already.

    Attributes
    ----------
    step, fingerprint
        Its address.
    complete
        Whether it was written to its end.
    analysis, parameters, inputs, revision
        What it was made by and from.
    finished
        When, as ISO 8601.
    warnings
        Messages of the warnings that the analysis gave.
    stale
        Why it is out of date; empty if it is not.
    """

    step: str
    fingerprint: str
    complete: bool
    analysis: str = ""
    parameters: Mapping[str, object] | None = None
    inputs: Mapping[str, str] | None = None
    revision: int = 0
    finished: str = ""
    warnings: tuple[str, ...] = ()
    stale: str = ""


@dataclass(frozen=True)
class PlannedStep:
    """A step with the address of its result.

    Attributes
    ----------
    step, entry
        What to call.
    arguments
        Arguments by name, defaults included.
    parameters
        The same as plain values.
    inputs
        Fingerprints of what it reads, by name.
    fingerprint
        Address of the result.
    done
        Whether the result is there.
    reason
        Why the step need not run, or why it must.
    roots
        What it rests on in the end: ``"cells"``, ``"patients/<cohort>"``, or several of them.
    """

    step: Step
    entry: CatalogueEntry
    arguments: Mapping[str, object]
    parameters: Mapping[str, object]
    inputs: Mapping[str, str]
    fingerprint: str
    done: bool
    reason: str
    roots: tuple[str, ...] = ()


def plan_pipeline(
    pipeline: Pipeline,
    *,
    checksums: Mapping[str, str],
    earlier: Sequence[EarlierResult] = (),
    columns: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> tuple[PlannedStep, ...]:
    """Order the steps, check their parameters, and find out which results are there.

    Parameters
    ----------
    pipeline
        What to do.
    checksums
        Of ``"cells"`` and of each ``"patients/<cohort>"`` in the store.
    earlier
        Results that the store holds.
    columns
        Of the same inputs; parameters that name columns are held against them.

    Returns
    -------
    The steps in an order in which each comes after all that it reads; nothing has run.

    Raises
    ------
    PipelineFileError
        If steps refer to each other in a circle, take an input that their analysis cannot use, or have parameters that the
        analysis does not take.
    UnknownStepError
        If an analysis is not in the catalogue, or a cohort is not in the store.
    """
    _check_variables(pipeline)
    views = {view.name: view for view in pipeline.views}
    known: dict[str, str] = {CELLS: checksums[CELLS]} if CELLS in checksums else {}
    planned = []
    roots: dict[str, frozenset[str]] = {}
    for node in order_nodes(pipeline):
        roots[node.name] = frozenset[str]().union(*(roots.get(read, {read}) for read in _reads(node)))
        if isinstance(node, View):
            check_view_by_gene(node, views)
            for column in node.where:
                _check_column(column, columns.get(CELLS), reader=f"'where' of [[view]] {node.name!r}")
            known[node.name] = _view_fingerprint(node, known)
        else:
            _check_cell_columns(node, views, columns=columns.get(CELLS))
            step = _plan_step(node, pipeline, known=known, checksums=checksums, earlier=earlier, views=views)
            _check_columns(step, CELLS if node.of in views else node.of, columns=columns)
            known[node.name] = step.fingerprint
            planned.append(replace(step, roots=tuple(sorted(roots[node.name]))))
    return tuple(planned)


def order_nodes(pipeline: Pipeline) -> tuple[View | Step, ...]:
    """Put views and steps behind all that they read, and otherwise in the order of the file.

    Raises
    ------
    PipelineFileError
        If they refer to each other in a circle.
    """
    nodes: dict[str, View | Step] = {node.name: node for node in (*pipeline.views, *pipeline.steps)}
    ordered: dict[str, View | Step] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in ordered or name not in nodes:
            return
        if name in path:
            circle = " -> ".join((*path[path.index(name) :], name))
            message = f"Steps must not read each other in a circle. Found {circle}; break it."
            raise PipelineFileError(message)
        for read in _reads(nodes[name]):
            visit(read, (*path, name))
        ordered[name] = nodes[name]

    for name, node in nodes.items():
        if isinstance(node, Step):
            visit(name, ())
    return tuple(ordered.values())


def _check_variables(pipeline: Pipeline) -> None:
    steps = {step.name: step for step in pipeline.steps}
    for view in pipeline.views:
        if view.keep is not None:
            check_variable(view.keep, steps[view.keep.step], reader=f"'keep' of [[view]] {view.name!r}")
    for step in pipeline.steps:
        for reference in references_of(step):
            if reference.step in steps:
                check_variable(reference, steps[reference.step], reader=f"{str(reference)!r} in [[step]] {step.name!r}")


def _reads(node: View | Step) -> tuple[str, ...]:
    if isinstance(node, View):
        return (node.of,) if node.keep is None else (node.of, node.keep.step)
    return (node.of, *(reference.step for reference in references_of(node)))


def _view_fingerprint(view: View, known: Mapping[str, str]) -> str:
    if view.of not in known:
        _miss_cells(f"[[view]] {view.name!r}")
    if view.by_gene:
        # The same numbers, read from other files.
        return known[view.of]
    inputs = {"of": known[view.of]}
    if view.keep is not None:
        inputs["keep"] = f"{known[view.keep.step]}.{view.keep.variable}"
    parameters: dict[str, object] = {"normalize": view.normalize}
    if view.where:
        parameters["where"] = {column: list(values) for column, values in view.where.items()}
    return fingerprint(step="view", parameters=parameters, inputs=inputs, revision=VIEW_REVISION)


def _plan_step(
    step: Step,
    pipeline: Pipeline,
    *,
    known: Mapping[str, str],
    checksums: Mapping[str, str],
    earlier: Sequence[EarlierResult],
    views: Mapping[str, View],
) -> PlannedStep:
    entry = find_analysis(step.analysis, step=step.name)
    is_cells = step.of == CELLS or step.of in views
    _check_input(step, entry, is_cells=is_cells)
    entry = entry.taken_by(cells=is_cells)
    if CELLS not in known and any(reference.step in (CELLS, *views) for reference in references_of(step)):
        _miss_cells(f"[[step]] {step.name!r}")
    arguments = bind_parameters(
        entry.function, step.parameters, gene_sets=pipeline.gene_sets, seed=pipeline.seed, step=step.name
    )
    check_gene_view(step, entry, arguments, views)
    parameters = plain_parameters(arguments)
    inputs = {"of": _input_fingerprint(step, known, checksums)}
    for join in step.join:
        inputs[f"join {join.name}"] = _join_fingerprint(join, known)
    for reference in references_of(step)[len(step.join) :]:
        inputs[f"@{reference}"] = known[reference.step]
    # A result that lacks a variable added since then must not be taken for one that has it.
    inputs["declared variables"] = fingerprint(
        step="declared", parameters={"names": entry.variables}, inputs={}, revision=VIEW_REVISION
    )
    address = fingerprint(step=step.analysis, parameters=parameters, inputs=inputs, revision=entry.revision)
    now = EarlierResult(
        step=step.name,
        fingerprint=address,
        complete=True,
        analysis=step.analysis,
        parameters=parameters,
        inputs=inputs,
        revision=entry.revision,
    )
    done, reason = _compare(now, [result for result in earlier if result.step == step.name])
    return PlannedStep(step, entry, arguments, parameters, inputs, address, done, reason)


def _input_fingerprint(step: Step, known: Mapping[str, str], checksums: Mapping[str, str]) -> str:
    if step.of.startswith(PATIENTS):
        if step.of not in checksums:
            present = [name for name in checksums if name.startswith(PATIENTS)]
            message = (
                f"Step {step.name!r} reads {step.of!r}, which must be in the store. Present: {', '.join(present) or 'none'}; "
                f"add the cohort with 'chemores ingest-patients' and --cohort {step.of.removeprefix(PATIENTS)}."
            )
            raise PipelineFileError(message)
        return checksums[step.of]
    if step.of not in known:
        _miss_cells(f"[[step]] {step.name!r}")
    return known[step.of]


def _join_fingerprint(join: Join, known: Mapping[str, str]) -> str:
    return fingerprint(
        step="join",
        parameters={"variable": join.reference.variable, "select": join.select, "standardize": join.standardize},
        inputs={"of": known[join.reference.step]},
        revision=VIEW_REVISION,
    )


def _miss_cells(reader: str) -> NoReturn:
    message = f"{reader} reads the cells, which must be in the store. There are none; add them with 'chemores ingest'."
    raise PipelineFileError(message)


def _check_input(step: Step, entry: CatalogueEntry, *, is_cells: bool) -> None:
    if entry.takes == EITHER:
        return
    is_patients = step.of.startswith(PATIENTS)
    fits = is_cells if entry.takes == COUNTS else not is_cells and not (entry.takes == RESULT and is_patients)
    if not fits:
        wanted = {COUNTS: "'cells' or a view", RESULT: "a step, whose result it takes"}.get(
            entry.takes, "'patients/<cohort>' or a step"
        )
        message = (
            f"'of' of [[step]] {step.name!r} must be {wanted}, because {step.analysis} takes that. Got {step.of!r}."
        )
        raise PipelineFileError(message)


def _check_columns(planned: PlannedStep, source: str, *, columns: Mapping[str, Sequence[str]]) -> None:
    # Hours of counting must not end in a misspelled column.
    if source not in columns:
        return  # the result of a step, known only when it is there
    present = [*columns[source], *(join.name for join in planned.step.join)]
    for parameter in planned.entry.columns:
        value = planned.arguments.get(parameter)
        for name in [value] if isinstance(value, str) else value if isinstance(value, tuple) else ():
            if name not in present:
                message = (
                    f"The parameter {parameter!r} of step {planned.step.name!r} must name a column of {source!r} or of a join. "
                    f"Got {name!r}; present: {listed(present)}.{close_names(str(name), present)}"
                )
                raise PipelineFileError(message)


def _check_cell_columns(step: Step, views: Mapping[str, View], *, columns: Sequence[str] | None) -> None:
    for reference in references_of(step):
        if reference.step in (CELLS, *views):
            reader = f"{str(reference)!r} in [[step]] {step.name!r}"
            _check_column(reference.variable, columns, reader=reader)
            if step.of.startswith(PATIENTS) and any(join.reference == reference for join in step.join):
                message = f"{reader} is a column of cells and cannot be put beside patients. Join a result over patients instead."
                raise PipelineFileError(message)


def _check_column(column: str, columns: Sequence[str] | None, *, reader: str) -> None:
    if columns is not None and column not in columns:
        message = (
            f"{reader} must name a column of the cells. Got {column!r}; present: {listed(columns)}."
            f"{close_names(column, columns)}"
        )
        raise PipelineFileError(message)


def _compare(now: EarlierResult, found: Sequence[EarlierResult]) -> tuple[bool, str]:
    same = [result for result in found if result.fingerprint == now.fingerprint]
    if any(result.complete and not result.stale for result in same):
        return True, "done"
    stale = [result.stale for result in same if result.complete]
    if stale:
        return False, f"out of date: {stale[0]}"
    if same:
        return False, "an earlier run was cut short"
    complete = sorted((result for result in found if result.complete), key=lambda result: result.finished)
    if not complete:
        return False, "never run"
    last = complete[-1]
    if last.analysis != now.analysis:
        return False, f"analysis changed: {last.analysis} -> {now.analysis}"
    if last.revision != now.revision:
        return False, f"the algorithm changed: revision {last.revision} -> {now.revision}"
    parameters = _changes(last.parameters or {}, now.parameters or {}, values=True)
    inputs = _changes(last.inputs or {}, now.inputs or {}, values=False)
    reasons = [f"parameters changed: {parameters}"] if parameters else []
    reasons += [f"inputs changed: {inputs}"] if inputs else []
    return False, "; ".join(reasons) or "made from something else"


def _changes(before: Mapping[str, object], after: Mapping[str, object], *, values: bool) -> str:
    changed = []
    for name in dict.fromkeys([*before, *after]):
        # Both went through JSON or will: tuples and lists are the same there.
        old, new = (json.dumps(side.get(name), sort_keys=True) for side in (before, after))
        if old != new:
            changed.append(f"{name} {_short(old)} -> {_short(new)}" if values else name)
    return ", ".join(changed)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
