"""What a run leaves behind: its steps, what they cost, and how the claims came out."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Bill:
    """The cost of a step or a run.

    Attributes
    ----------
    passes
        Rows decoded divided by the rows of the store.
    bytes_decoded
        Bytes of counts after decompression.
    tasks
        Dask tasks.
    seconds
        Wall time.
    peak_memory_bytes
        Largest resident size of all processes together, as sampled.
    predicted_memory_bytes
        What the plans promised to hold at most; 0 where nothing was planned.
    """

    passes: float = 0.0
    bytes_decoded: int = 0
    tasks: int = 0
    seconds: float = 0.0
    peak_memory_bytes: int = 0
    predicted_memory_bytes: int = 0


def add_bills(first: Bill, second: Bill) -> Bill:
    """The cost of two things done one after the other."""
    return Bill(
        passes=first.passes + second.passes,
        bytes_decoded=first.bytes_decoded + second.bytes_decoded,
        tasks=first.tasks + second.tasks,
        seconds=first.seconds + second.seconds,
        peak_memory_bytes=max(first.peak_memory_bytes, second.peak_memory_bytes),
        predicted_memory_bytes=max(first.predicted_memory_bytes, second.predicted_memory_bytes),
    )


@dataclass(frozen=True)
class StepRecord:
    """One step of a run.

    Attributes
    ----------
    name, analysis
        Name of the step in the pipeline, and of the analysis it calls.
    fingerprint
        Address of its result.
    reused
        True if the result was there already.
    parameters, inputs
        What decides its numbers: plain values, and fingerprints by name.
    warnings
        Messages of the warnings it gave, also where the result was there already.
    shared_with
        Steps that read the cells in the same passes. What they cost together stands in the bill of the first of them.
    bill
        What it cost; zeros if reused.
    """

    name: str
    analysis: str
    fingerprint: str
    reused: bool
    parameters: dict[str, object] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    shared_with: tuple[str, ...] = ()
    bill: Bill = field(default_factory=Bill)


@dataclass(frozen=True)
class ClaimOutcome:
    """A published or planted figure beside ours.

    Attributes
    ----------
    name
        What is claimed, as a person would say it.
    source
        Where the expected value comes from.
    expected, lower, upper
        The expected value and the interval in which ours must lie.
    found
        Our value.
    step, variable
        Where it was read.
    """

    name: str
    source: str
    expected: float
    lower: float
    upper: float
    found: float
    step: str
    variable: str

    @property
    def holds(self) -> bool:
        """Whether our value lies in the interval."""
        return self.lower <= self.found <= self.upper


@dataclass(frozen=True)
class Section:
    """One section of the report, as the pipeline file describes it.

    Attributes
    ----------
    title, text
        Heading, and one paragraph for the reader.
    figures
        Tables with ``kind`` (name of a figure), ``step`` (whose result is drawn), ``caption`` and further options.
    tables
        Tables with ``step``, ``variables``, and optionally ``select``, ``sort``, ``descending``, ``rows`` and ``caption``.
    """

    title: str
    text: str = ""
    figures: tuple[dict[str, object], ...] = ()
    tables: tuple[dict[str, object], ...] = ()


@dataclass(frozen=True)
class AuditFinding:
    """One thing that the audit of the design found.

    Attributes
    ----------
    code
        What kind of finding it is.
    severity
        ``"error"``, ``"warning"`` or ``"note"``.
    subject
        The test, variable, model, signature or sample concerned.
    text, mend
        What was found, and what to do about it.
    """

    code: str
    severity: str
    subject: str
    text: str
    mend: str


@dataclass(frozen=True)
class AuditCheck:
    """One check of the audit.

    Attributes
    ----------
    name
        Of the check.
    status
        ``"clean"``, ``"found"`` or ``"not_applicable"``.
    looked_at
        What it looked at; where it had nothing to look at, why.
    """

    name: str
    status: str
    looked_at: str

    @property
    def looked(self) -> bool:
        """Whether it had something to look at."""
        return self.status != "not_applicable"


@dataclass(frozen=True)
class AuditAssociation:
    """How far two variables of the samples go together.

    Attributes
    ----------
    first, second
        The variables.
    cramers_v
        Cramer's V, corrected for bias; None where it cannot be told.
    units, counted
        How many were counted, and what: ``"patients"`` or ``"samples"``.
    """

    first: str
    second: str
    cramers_v: float | None
    units: int
    counted: str


@dataclass(frozen=True)
class AuditRecord:
    """What the audit of the design of a run says.

    Attributes
    ----------
    findings
        Errors first, then warnings, then notes.
    checks
        All checks in order.
    associations
        All pairs of variables of the samples.
    """

    findings: tuple[AuditFinding, ...] = ()
    checks: tuple[AuditCheck, ...] = ()
    associations: tuple[AuditAssociation, ...] = ()

    def count(self, severity: str) -> int:
        """Number of findings of one severity."""
        return sum(finding.severity == severity for finding in self.findings)

    @property
    def counts(self) -> tuple[str, ...]:
        """Numbers of findings by severity, such as ``1 error`` and ``2 notes``; what was not found is left out."""
        return tuple(
            f"{number} {severity}{'' if number == 1 else 's'}"
            for severity in ("error", "warning", "note")
            if (number := self.count(severity))
        )


@dataclass(frozen=True)
class RunRecord:
    """A whole run.

    Attributes
    ----------
    pipeline, title, description
        Name of the pipeline, and how it introduces itself.
    store
        Path of the store as given; empty for a command that reads tables.
    seed
        Seed of the run.
    started, finished
        ISO 8601 with time zone.
    host
        Kind of scheduler and size of the machine, in words, without names.
    cells, genes, samples, patients
        Sizes of the store.
    inputs
        Checksums of what was read, by name.
    versions
        Versions of packages.
    steps, claims, sections
        In order.
    bill
        The whole run.
    memory_budget_bytes
        Memory that the run was allowed; None without a budget. The size of the blocks follows from it, and with it the last digits.
    audit
        What the audit of its design says; None where there was none.
    """

    pipeline: str
    title: str
    description: str
    store: str
    seed: int
    started: str
    finished: str
    host: str
    cells: int
    genes: int
    samples: int
    patients: int
    inputs: dict[str, str]
    versions: dict[str, str]
    steps: tuple[StepRecord, ...]
    claims: tuple[ClaimOutcome, ...]
    sections: tuple[Section, ...]
    bill: Bill
    memory_budget_bytes: int | None = None
    audit: AuditRecord | None = None
