"""What the survival commands have in common: read the tables, run analyses, write tables, record and report."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.cli.survival_folder import check_folder, whole_folder
from chemores_dask.cli.terminal import complain, say
from chemores_dask.ingest.follow_up import FollowUp, FollowUpColumns, read_follow_up
from chemores_dask.ingest.source import reading
from chemores_dask.provenance import fingerprint, versions
from chemores_dask.report.document import write_report
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.workflow.cost import active_client, describe_host
from chemores_dask.workflow.record import Bill, RunRecord, Section, StepRecord
from chemores_dask.workflow.run_files import write_record, write_tables
from chemores_dask.workflow.warning_log import WarningLog, warning_as

REPORT = "report.html"
COHORT = "cohort"
DIGITS = 16

FLOW = declare(
    Variable("flow_left_out", ("exclusion",), "i", unit="rows", doc="left out here"),
    Variable("flow_remaining", ("exclusion",), "i", unit="rows", doc="that go on"),
)


@dataclass
class SurvivalRun:
    """One survival command.

    Attributes
    ----------
    command
        Its name, such as ``scan``.
    title
        Of the report.
    read
        The patients.
    inputs
        Checksums of the files, by their names.
    started, clock
        When it began: as text, and on the clock of :func:`time.perf_counter`.
    steps, results
        What was computed so far.
    seed
        Of what is drawn; 0 where nothing is.
    """

    command: str
    title: str
    read: FollowUp
    inputs: dict[str, str]
    started: str
    clock: float
    steps: list[StepRecord] = field(default_factory=list)
    results: dict[str, xr.Dataset] = field(default_factory=dict)
    seed: int = 0

    @property
    def patients(self) -> xr.Dataset:
        """The patients that have all that is needed."""
        return self.read.patients

    @property
    def events(self) -> int:
        """How many of them had the event."""
        return int(self.patients[self.read.columns.event].values.sum())

    @property
    def time_words(self) -> str:
        """The unit of time for a person."""
        return self.read.unit or "unit not named"

    def perform(self, name: str, analysis: Callable[[], xr.Dataset]) -> xr.Dataset:
        """Run one analysis, with its warnings, and keep its result under a name."""
        log = WarningLog([name])
        begun = time.perf_counter()
        with log.listening(), warning_as(name):
            result = analysis().compute()
        seconds = time.perf_counter() - begun
        for variable in result.variables.values():
            if variable.attrs.get("units") == "time" and self.read.unit:
                variable.attrs["units"] = self.read.unit
        self._keep(name, result, warnings=log.of(name), bill=Bill(seconds=seconds))
        for warning in log.of(name):
            complain(f"Warning: {warning.split(': ', maxsplit=1)[-1]}")
        return result

    def keep_flow(self, read: FollowUp, *, name: str = COHORT) -> None:
        """Keep the way from the rows of a table to the patients of the analysis, as a result of its own."""
        flow = read.flow
        result = make_result(
            FLOW,
            {
                "flow_left_out": np.array([step.left_out for step in flow]),
                "flow_remaining": np.array([step.remaining for step in flow]),
            },
            analysis="read_tables",
            parameters={"events": read.coding, "unit": read.unit, "expression": read.matching},
            coordinates={"exclusion": [step.reason for step in flow]},
        )
        self._keep(name, result)

    def _keep(self, name: str, result: xr.Dataset, *, warnings: tuple[str, ...] = (), bill: Bill | None = None) -> None:
        parameters = json.loads(result.attrs["parameters"])
        analysis = str(result.attrs["analysis"])
        address = fingerprint(step=analysis, parameters=parameters, inputs=self.inputs, revision=1)
        step = StepRecord(
            name=name, analysis=analysis, fingerprint=address, reused=False, parameters=parameters, inputs=self.inputs,
            warnings=warnings, bill=bill or Bill(),
        )  # fmt: skip
        self.steps.append(step)
        self.results[name] = result

    def finish(
        self,
        out: Path,
        *,
        tables: Mapping[str, pd.DataFrame],
        sections: tuple[Section, ...],
        description: str,
        files: Mapping[str, Callable[[Path], object]] | None = None,
    ) -> None:
        """Write tables, results, record and report, all at once, and say where."""
        seconds = time.perf_counter() - self.clock
        record = RunRecord(
            pipeline=f"survival {self.command}",
            title=self.title,
            description=description,
            store="",
            seed=self.seed,
            started=self.started,
            finished=_now(),
            host=describe_host(active_client()),
            cells=0,
            genes=self.patients.sizes.get("gene", 0),
            samples=0,
            patients=self.patients.sizes["patient"],
            inputs=self.inputs,
            versions=versions(),
            steps=tuple(self.steps),
            claims=(),
            sections=(cohort_section(self.read), *sections),
            bill=Bill(seconds=seconds),
        )
        with whole_folder(out) as place:
            for name, write in (files or {}).items():
                write(place / name)
            for name, table in tables.items():
                table.to_csv(place / name, index=False)
            write_tables(self.results, place)
            write_report(record, self.results, path=place / REPORT)
            write_record(record, place)
        for name in files or {}:
            say(f"File: {out / name}")
        for name in tables:
            say(f"Table: {out / name}")
        say(f"Report: {out / REPORT}")


def cohort_section(read: FollowUp, *, step: str = COHORT, title: str = "Who is in it") -> Section:
    """Say in a report who is in the analysis, how the columns were understood, and who was left out."""
    columns = read.columns
    times = f"Follow-up is read from {columns.time}, in {read.unit}" if read.unit else (
        f"Follow-up is read from {columns.time}; nobody named its unit, so none is stated"
    )  # fmt: skip
    entry = f", from {columns.start} on" if columns.start else ""
    text = f"{times}{entry}. The event is read from {columns.event}: {read.coding}."
    text += " Whoever lacks what the analysis needs is left out, as R does."
    if read.matching:
        text += f" {read.matching}"
    table = {
        "step": step,
        "caption": "From the rows of the clinical table to the patients of the analysis.",
        "rows": 100,
    }
    return Section(title=title, text=text, tables=(table,))


def start_run(
    command: str, *, title: str, clinical: Path, expression: Path | None, columns: Mapping[str, object], out: Path
) -> SurvivalRun:
    """Read the tables of a survival command.

    Parameters
    ----------
    command, title
        Name of the command, and title of its report.
    clinical, expression
        The files.
    columns
        Settings of :class:`FollowUpColumns`.
    out
        The folder; a place that cannot be used is refused before anything is read.

    Returns
    -------
    The run, without any analysis so far.
    """
    check_folder(out)
    started, clock = _now(), time.perf_counter()
    read = read_follow_up(clinical, expression=expression, columns=FollowUpColumns(**columns))
    run = SurvivalRun(command, title, read, inputs_of(clinical, expression), started, clock)
    run.keep_flow(read)
    say_who(read)
    return run


def inputs_of(clinical: Path, expression: Path | None, *, of: str = "") -> dict[str, str]:
    """Checksums of the tables, by what they are and their names without folders."""
    files = {f"{of}clinical": clinical, f"{of}expression": expression}
    return {f"{role}: {path.name}": file_checksum(path) for role, path in files.items() if path is not None}


def file_checksum(path: Path) -> str:
    """Name a file by its bytes: 16 hexadecimal digits of their SHA-256."""
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS]


def say_who(read: FollowUp) -> None:
    """Say who is in the analysis, who is not and why, and how the columns were understood."""
    sizes = read.patients.sizes
    genes = f", {sizes['gene']:,} genes" if "gene" in sizes else ""
    say(f"{sizes['patient']:,} patients, {int(read.patients[read.columns.event].values.sum()):,} events{genes}")
    if read.matching:
        say(read.matching)
    for step in read.flow[1:]:
        say(f"Left out: {step.left_out:,} ({step.reason})")
    say(f"Events in {read.columns.event}: {read.coding}")
    if read.unit:
        say(f"Times in {read.columns.time}: {read.unit}")
    else:
        complain(
            f"Note: nothing says the unit of {read.columns.time}, so results state none (--time-unit days|weeks|months|years)."
        )


def flag_words(values: xr.DataArray) -> list[str]:
    """The meanings of a status, one per value."""
    meanings = str(values.attrs["flag_meanings"]).split()
    return [meanings[int(value)] for value in values.values]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
