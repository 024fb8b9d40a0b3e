"""Run a pipeline: call the steps whose results are not there yet, write their results, and record what it cost."""

from __future__ import annotations

import hashlib
import json
import platform
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from types import TracebackType

import anndata as ad
import pandas as pd
import xarray as xr

from chemores_dask.aliases import StorePath
from chemores_dask.errors import ChemoresError, DamagedResultWarning, StepFailedError
from chemores_dask.memory import Budget, memory_budget, size_in_bytes
from chemores_dask.provenance import canonical_json, versions
from chemores_dask.store.cells import open_cells
from chemores_dask.store.patients import open_patients
from chemores_dask.store.results import open_result, write_result
from chemores_dask.stream.shared_pass import share_passes
from chemores_dask.workflow.arguments import labeled_parameters
from chemores_dask.workflow.claims import Claim, check_claims, compare_claims
from chemores_dask.workflow.cost import CostMeter, active_client, describe_host
from chemores_dask.workflow.events import RowsDecoded, StepFinished, StepStarted, Watch, watch_nothing
from chemores_dask.workflow.inputs import join_cells, join_dataset, labeled_value, parameter_value, view_cells
from chemores_dask.workflow.inventory import Inventory, take_inventory
from chemores_dask.workflow.planning import PlannedStep, plan_pipeline
from chemores_dask.workflow.record import Bill, RunRecord, StepRecord, add_bills
from chemores_dask.workflow.run_audit import audit_record, audit_run
from chemores_dask.workflow.run_files import prepare_folder, write_findings, write_record, write_tables
from chemores_dask.workflow.run_start import RunStart, staging_for_a_while, starting
from chemores_dask.workflow.steps import CELLS, PATIENTS, Pipeline, Reference, references_of
from chemores_dask.workflow.warning_log import WarningLog, warning_as
from chemores_dask.workflow.waves import Wave, expected_passes, plan_waves


def plan_run(pipeline: Pipeline, store: StorePath) -> tuple[PlannedStep, ...]:
    """Find out what a run would do.

    Parameters
    ----------
    pipeline
        What to do.
    store
        Path of the store.

    Returns
    -------
    The steps in order, each with the address of its result, and why it would run or not. Nothing is computed.
    """
    return plan_on(take_inventory(store), pipeline)


def plan_on(inventory: Inventory, pipeline: Pipeline) -> tuple[PlannedStep, ...]:
    """Find out what a run would do on a store that was looked at.

    Parameters
    ----------
    inventory
        What the store holds.
    pipeline
        What to do.

    Returns
    -------
    As :func:`plan_run`.
    """
    return plan_pipeline(pipeline, checksums=inventory.checksums, earlier=inventory.results, columns=inventory.columns)


def run_pipeline(
    pipeline: Pipeline,
    store: StorePath,
    *,
    out: StorePath,
    claims: Sequence[Claim] = (),
    watch: Watch = watch_nothing,
    memory: int | str | None = None,
    wait: float = 0.0,
) -> RunRecord:
    """Run a pipeline on a store.

    Steps whose results are in the store under the same fingerprint are not run again, and a run that was cut short goes on where
    it stopped, also within a step: neither blocks whose part of the result is written nor finished parts of a pass are read again.
    Everything runs on the active ``distributed.Client`` if there is one, otherwise on threads.

    Parameters
    ----------
    pipeline
        What to do, as read by :func:`~chemores_dask.workflow.pipeline_file.read_pipeline`.
    store
        Path of the store.
    out
        Folder for the record (``run.json``), the findings of the audit of the design (``findings.tsv``) and the tables (``tables/``); made
        where absent.
    claims
        Figures to hold the results against.
    watch
        Called with events as the run goes on.
    memory
        Budget for the whole run: bytes, or text such as ``"4GB"``; on a cluster, that of each worker. Unless given, tasks may take 60 %
        of what the machine (or its control group) has free.
    wait
        Seconds to wait while another process writes into the store; the run is refused at once unless given.

    Returns
    -------
    The record of the run.

    Raises
    ------
    PipelineFileError
        If the pipeline does not fit the analyses or the store; before anything runs.
    StepFailedError
        If a step fails, or cannot hold the budget; raised from its cause. Results of earlier steps stay.
    ParameterError
        If ``memory`` is not a size.
    StoreBusyError
        If another process writes into the store.

    Notes
    -----
    Passes over the counts: those of the analyses that run.
    """
    limit = None if memory is None else size_in_bytes(memory)
    check_claims(claims, pipeline)
    started = _now()
    with starting(pipeline, store, wait=wait, watch=watch) as start, memory_budget(limit) as budget:
        prepare_folder(out)
        inventory = start.inventory
        # What is wrong with the formulas is told before anything runs; scores are looked at afterwards.
        audit_run(pipeline, store, inventory=inventory, planned=start.planned)
        run = _Run(pipeline, store, start, watch)
        steps, bill = run.run_steps(budget)
    found = audit_run(pipeline, store, inventory=inventory, planned=start.planned, results=run.results)
    record = RunRecord(
        pipeline=pipeline.name,
        title=pipeline.title,
        description=pipeline.description,
        store=str(store),
        seed=pipeline.seed,
        started=started,
        finished=_now(),
        host=run.host,
        cells=inventory.cells,
        genes=inventory.genes,
        samples=inventory.samples,
        patients=inventory.patients,
        inputs={**inventory.checksums, "pipeline": _pipeline_checksum(start.planned)},
        versions=versions(),
        steps=steps,
        claims=compare_claims(claims, results=run.results),
        sections=pipeline.sections,
        bill=bill,
        memory_budget_bytes=budget.limit,
        audit=audit_record(found),
    )
    write_findings(found, out)
    write_tables(run.results, out)
    write_record(record, out)
    return record


def open_run_results(record: RunRecord, store: StorePath) -> dict[str, xr.Dataset]:
    """Open the results of a run.

    Parameters
    ----------
    record
        The record of the run.
    store
        Path of the store.

    Returns
    -------
    Results by the name of their step, lazy.
    """
    return {step.name: open_result(store, step=step.name, fingerprint=step.fingerprint) for step in record.steps}


@dataclass
class _NamingStep:
    """Say in which step an error happened."""

    planned: PlannedStep

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception):
            return  # nothing happened, or a person interrupted
        said = str(error) if isinstance(error, ChemoresError) else f"{type(error).__name__}: {error}"
        step = self.planned.step
        message = f"The step {step.name!r} ({step.analysis} of {step.of}) failed. {said}"
        failed = StepFailedError(message)
        for note in getattr(error, "__notes__", ()):
            failed.add_note(note)
        failed.add_note("Results of the steps before it are kept; run the same command again once this is mended.")
        raise failed from error


class _Run:
    """One run: the opened inputs and the results so far."""

    def __init__(
        self,
        pipeline: Pipeline,
        store: StorePath,
        start: RunStart,
        watch: Watch,
    ) -> None:
        self.pipeline = pipeline
        self.store = store
        self.start = start
        self.planned = start.planned
        self.inventory = start.inventory
        self.watch = watch
        self.client = active_client()
        self.host = describe_host(self.client)
        self.results: dict[str, xr.Dataset] = {}
        self.records: dict[str, StepRecord] = {}
        self._views = {view.name: view for view in pipeline.views}
        self._number = 0
        self._to_run = sum(1 for each in start.planned if not each.done)
        self._cells: dict[str, ad.AnnData] = {}

    def run_steps(self, budget: Budget) -> tuple[tuple[StepRecord, ...], Bill]:
        waves = plan_waves(self.planned, views=self._views)
        cells = self.inventory.cells
        expected = sum(expected_passes(wave) for wave in waves) * cells
        rows = 0
        meter = CostMeter(client=self.client, on_rows=lambda decoded: self.watch(RowsDecoded(decoded, expected)))
        with meter:
            beginning = meter.read()
            for wave in waves:
                rows += expected_passes(wave) * cells
                self._run_wave(wave, meter, rows=rows)
            total = meter.bill(beginning, cells=cells)
        records = tuple(self.records[planned.step.name] for planned in self.planned)
        peak = max((record.bill.peak_memory_bytes for record in records), default=0)
        peak = max(peak, total.peak_memory_bytes)
        return records, replace(total, peak_memory_bytes=peak, predicted_memory_bytes=budget.promised_bytes)

    def _run_wave(self, wave: Wave, meter: CostMeter, *, rows: int) -> None:
        log = WarningLog([planned.step.name for planned in wave])
        before = meter.read()
        started = _now()
        to_run = [planned for planned in wave if not planned.done]
        for planned in to_run:
            self._number += 1
            self.watch(StepStarted(planned.step.name, self._number, self._to_run))
        with log.listening(), memory_budget(None) as budget, staging_for_a_while():
            found = share_passes({planned.step.name: partial(self._analyze, planned) for planned in to_run})
            shared = replace(
                meter.bill(before, cells=self.inventory.cells), predicted_memory_bytes=budget.promised_bytes
            )
            for planned in wave:
                # What the steps of a wave cost together stands with the first of them.
                bill = shared if planned is wave[0] else None
                self._finish_step(planned, found, meter, bill=bill, started=started, log=log, wave=wave)
                self.watch(
                    StepFinished(planned.step.name, rows, planned.done, self.records[planned.step.name].warnings)
                )

    def _analyze(self, planned: PlannedStep) -> xr.Dataset:
        with _NamingStep(planned), warning_as(planned.step.name):
            if planned.step.name in self.start.damaged:
                message = f"An earlier result was damaged and is computed anew. {self.start.damaged[planned.step.name]}"
                warnings.warn(message, DamagedResultWarning, stacklevel=2)
            source = self._source(planned)
            return planned.entry.function(source, **self._arguments(planned, source))

    def _arguments(self, planned: PlannedStep, source: ad.AnnData | xr.Dataset) -> dict[str, object]:
        labeled = labeled_parameters(planned.entry.function)
        tables = self._tables(planned)
        arguments: dict[str, object] = {}
        for name, value in planned.arguments.items():
            if not isinstance(value, Reference):
                arguments[name] = value
            elif not value.variable:
                arguments[name] = self.results[value.step]
            elif name in labeled:
                aligned = name in planned.entry.aligned
                arguments[name] = labeled_value(
                    value, source=source, results=self.results, tables=tables, aligned=aligned
                )
            else:
                arguments[name] = parameter_value(value, source=source, results=self.results, tables=tables)
        return arguments

    def _tables(self, planned: PlannedStep) -> dict[str, pd.DataFrame]:
        read = {reference.step for reference in references_of(planned.step)}
        return {name: self._open(name).obs for name in sorted(read & {CELLS, *self._views})}

    def _finish_step(
        self,
        planned: PlannedStep,
        found: Mapping[str, xr.Dataset],
        meter: CostMeter,
        *,
        bill: Bill | None,
        started: str,
        log: WarningLog,
        wave: Wave,
    ) -> None:
        name = planned.step.name
        if planned.done:
            record = _step_record(planned, reused=True, messages=self._earlier_warnings(planned))
        else:
            before = meter.read()
            with _NamingStep(planned), warning_as(name):
                attributes = self._attributes(planned, started=started, messages=log.of(name))
                write_result(found[name], self.store, step=name, fingerprint=planned.fingerprint, attributes=attributes)
            written = meter.bill(before, cells=self.inventory.cells)
            record = _step_record(
                planned,
                reused=False,
                messages=log.of(name),
                bill=written if bill is None else add_bills(bill, written),
                shared_with=tuple(each.step.name for each in wave if each is not planned),
            )
        self.records[name] = record
        with _NamingStep(planned):
            opened = self.start.opened.get(name)
            self.results[name] = (
                open_result(self.store, step=name, fingerprint=planned.fingerprint) if opened is None else opened
            )

    def _source(self, planned: PlannedStep) -> ad.AnnData | xr.Dataset:
        step = planned.step
        tables = self._tables(planned)
        if step.of.startswith(PATIENTS):
            patients = open_patients(self.store, cohort=step.of.removeprefix(PATIENTS))
            return join_dataset(patients, step.join, results=self.results, tables=tables)
        if step.of in self.results:
            return join_dataset(self.results[step.of], step.join, results=self.results, tables=tables)
        return join_cells(self._open(step.of), step.join, results=self.results, tables=tables)

    def _earlier_warnings(self, planned: PlannedStep) -> tuple[str, ...]:
        # What a reader must know stays true when a result is used again.
        address = (planned.step.name, planned.fingerprint)
        return next(each.warnings for each in self.inventory.results if (each.step, each.fingerprint) == address)

    def _open(self, name: str) -> ad.AnnData:
        if name not in self._cells:
            if name == CELLS:
                self._cells[name] = open_cells(self.store)
            else:
                view = self._views[name]
                self._cells[name] = view_cells(self._open(view.of), view, results=self.results)
        return self._cells[name]

    def _attributes(self, planned: PlannedStep, *, started: str, messages: tuple[str, ...]) -> dict[str, object]:
        return {
            "analysis": planned.step.analysis,
            "step_parameters": canonical_json(planned.parameters),
            "step_inputs": canonical_json(planned.inputs),
            "step_roots": canonical_json(planned.roots),
            "revision": planned.entry.revision,
            "seed": self.pipeline.seed,
            "versions": json.dumps(versions()),
            "warnings": json.dumps(messages),
            "started": started,
            "finished": _now(),
            "host": f"{platform.system()} {platform.machine()}; {self.host}",
        }


def _step_record(
    planned: PlannedStep,
    *,
    reused: bool,
    messages: tuple[str, ...] = (),
    bill: Bill | None = None,
    shared_with: tuple[str, ...] = (),
) -> StepRecord:
    return StepRecord(
        name=planned.step.name,
        analysis=planned.step.analysis,
        fingerprint=planned.fingerprint,
        reused=reused,
        parameters=dict(planned.parameters),
        inputs=dict(planned.inputs),
        warnings=messages,
        shared_with=shared_with,
        bill=bill or Bill(),
    )


def _pipeline_checksum(planned: Sequence[PlannedStep]) -> str:
    addresses = canonical_json({step.step.name: step.fingerprint for step in planned})
    return hashlib.sha256(addresses.encode()).hexdigest()[:12]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
