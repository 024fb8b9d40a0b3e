"""The audit of a run: the design of a study, read off its store and the steps of its pipeline.

What a step tests is said by its entry in the catalogue; what it compares, by its parameters (``before`` and ``after`` of ``stage``,
``duration``, ``event``, ``covariates``, ``formula``), which mean the same in every analysis. Only tables are read, never counts, and no
result depends on what is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import StorePath
from chemores_dask.auditor.design_audit import SEVERITIES, STATUSES, audit
from chemores_dask.auditor.study_design import (
    Material,
    PlannedContrast,
    PlannedFamily,
    PlannedModel,
    PlannedTest,
    SampleColumns,
    SignatureUse,
    StudyDesign,
)
from chemores_dask.checks import listed
from chemores_dask.gene_sets import GeneSets
from chemores_dask.store.patients import open_patients
from chemores_dask.workflow.inventory import Inventory
from chemores_dask.workflow.planning import PlannedStep
from chemores_dask.workflow.record import AuditAssociation, AuditCheck, AuditFinding, AuditRecord
from chemores_dask.workflow.run_scores import scored_design
from chemores_dask.workflow.step_contrasts import step_contrasts
from chemores_dask.workflow.steps import CELLS, PATIENTS, Pipeline, Reference, references_of

PATIENT = "patient"
GENE = "gene"
NO_RESULTS: Mapping[str, xr.Dataset] = MappingProxyType({})
SCORES = {"cell_score", "patient_score"}
"""Variables by which an analysis is known to score gene sets."""


@dataclass(frozen=True)
class StoreTables:
    """What an audit reads of a store.

    Attributes
    ----------
    samples
        One row per sample.
    genes
        Genes of the cells.
    cohorts
        Cohorts of patients by ``"patients/<cohort>"``, lazy.
    """

    samples: pd.DataFrame
    genes: tuple[str, ...]
    cohorts: Mapping[str, xr.Dataset]


def audit_run(
    pipeline: Pipeline,
    store: StorePath,
    *,
    inventory: Inventory,
    planned: Sequence[PlannedStep],
    results: Mapping[str, xr.Dataset] = NO_RESULTS,
) -> xr.Dataset:
    """Audit a pipeline on a store.

    Parameters
    ----------
    pipeline
        What to do.
    store
        Path of the store.
    inventory
        What the store holds.
    planned
        Its steps as planned on this store.
    results
        Results of all steps by name; none before the run, and then nothing is said of scores.

    Returns
    -------
    As :func:`~chemores_dask.auditor.design_audit.audit`.
    """
    tables = store_tables(store, inventory=inventory, planned=planned)
    design = design_of_run(pipeline, tables, planned=planned)
    return audit(scored_design(design, planned, results=results, cohorts=tables.cohorts) if results else design)


def audit_record(found: xr.Dataset) -> AuditRecord:
    """Put an audit into words for the record of a run.

    Parameters
    ----------
    found
        The audit.

    Returns
    -------
    The same as plain values.
    """
    texts = {
        name: [str(value) for value in found[f"finding_{name}"].values] for name in ("code", "subject", "text", "mend")
    }
    severities = [SEVERITIES[int(value)] for value in found["finding_severity"].values]
    findings = tuple(
        AuditFinding(code, severity, subject, text, mend)
        for code, severity, subject, text, mend in zip(
            texts["code"], severities, texts["subject"], texts["text"], texts["mend"], strict=True
        )
    )
    checks = tuple(
        AuditCheck(str(name), STATUSES[int(status)], str(looked_at))
        for name, status, looked_at in zip(
            found["check"].values, found["check_status"].values, found["check_looked_at"].values, strict=True
        )
    )
    return AuditRecord(findings, checks, tuple(_associations(found)))


def _associations(found: xr.Dataset) -> Iterator[AuditAssociation]:
    names = [str(name) for name in found["variable"].values]
    for first, second in combinations(range(len(names)), 2):
        strength = float(found["association_cramers_v"].values[first, second])
        yield AuditAssociation(
            names[first],
            names[second],
            None if np.isnan(strength) else strength,
            int(found["association_units"].values[first, second]),
            str(found["association_counted"].values[first, second]),
        )


def store_tables(store: StorePath, *, inventory: Inventory, planned: Sequence[PlannedStep]) -> StoreTables:
    """Collect the tables of samples, genes and patients; counts are not read.

    Parameters
    ----------
    store
        Path of the store.
    inventory
        What it holds.
    planned
        Steps; only cohorts that they read are opened.

    Returns
    -------
    The tables; empty where there are no cells.
    """
    cohorts = sorted({root for each in planned for root in each.roots if root.startswith(PATIENTS)})
    return StoreTables(
        inventory.sample_table,
        inventory.gene_names,
        {name: open_patients(store, cohort=name.removeprefix(PATIENTS)) for name in cohorts},
    )


def design_of_run(pipeline: Pipeline, tables: StoreTables, *, planned: Sequence[PlannedStep]) -> StudyDesign:
    """Read the design of a study off its store and its pipeline.

    Parameters
    ----------
    pipeline
        What to do.
    tables
        Of the store.
    planned
        The steps as planned on this store.

    Returns
    -------
    The design.
    """
    reader = _Reader(pipeline, tables, planned)
    return StudyDesign(
        tables.samples,
        columns=reader.columns(),
        contrasts=tuple(dict.fromkeys(found for each in planned for found in reader.contrasts(each))),
        tests=tuple(reader.tests()),
        families=tuple(PlannedFamily(family.name, family.correction) for family in pipeline.design.families),
        models=tuple(reader.models()),
        signatures=(*reader.signatures(), *reader.cutoffs()),
    )


class _Reader:
    """Reads a design step by step."""

    def __init__(self, pipeline: Pipeline, tables: StoreTables, planned: Sequence[PlannedStep]) -> None:
        self.notes = pipeline.design
        self.tables = tables
        self.planned = planned
        self.steps = {each.step.name: each for each in planned}
        self.views = {view.name: view for view in pipeline.views}
        self.families = {step: family.name for family in self.notes.families for step in family.steps}

    def columns(self) -> SampleColumns:
        named = [each.arguments[PATIENT] for each in self.planned if isinstance(each.arguments.get(PATIENT), str)]
        patient = next((str(name) for name in named if name in self.tables.samples), PATIENT)
        return SampleColumns(patient=patient, batches=self.notes.batches or SampleColumns().batches)

    def tests(self) -> Iterator[PlannedTest]:
        for each in self.planned:
            stated = each.entry.tests
            if stated is None:
                continue
            compared = self.contrasts(each)
            yield PlannedTest(
                each.step.name,
                kind=stated.kind,
                unit=stated.unit,
                contrast=compared[0] if len(compared) == 1 else None,
                sizes=self.group_sizes(each),
                tests=self.repeats(each, stated.over),
                correction=stated.correction,
                family=self.families.get(each.step.name, ""),
                descriptive=stated.descriptive,
            )

    def contrasts(self, each: PlannedStep) -> tuple[PlannedContrast, ...]:
        """What a step compares; steps that test nothing, or describe only, compare nothing."""
        stated = each.entry.tests
        if stated is None or stated.descriptive or not {CELLS} <= set(each.roots):
            return ()
        return step_contrasts(
            each.arguments,
            self.tables.samples,
            patient=self.columns().patient,
            paired=stated.paired,
            where=tuple(self.restrictions(each)),
        )

    def restrictions(self, each: PlannedStep) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Samples that take part, by the views that a step rests on."""
        name = each.step.of
        while name in self.steps:
            name = self.steps[name].step.of
        while name in self.views:
            for column, values in self.views[name].where.items():
                if column in self.tables.samples:
                    yield column, tuple(values)
            name = self.views[name].of

    def cohort(self, each: PlannedStep) -> xr.Dataset | None:
        return self.tables.cohorts.get(each.step.of)

    def group_sizes(self, each: PlannedStep) -> tuple[int, ...]:
        """Patients of each group of a cohort, if a column of the cohort tells the groups."""
        cohort, group = self.cohort(each), each.arguments.get("group")
        if cohort is None or not isinstance(group, str) or group not in cohort or cohort[group].dims != (PATIENT,):
            return ()
        sizes = pd.Series(cohort[group].values).dropna().astype(str).value_counts(sort=False)
        return tuple(int(size) for size in sizes) if len(sizes) > 1 else ()

    def repeats(self, each: PlannedStep, over: str) -> int:
        """How many tests a step makes, as far as it is known before the run; at least two where it makes several."""
        if not over:
            return 1
        cohort = self.cohort(each)
        sizes = {GENE: len(self.tables.genes) if cohort is None else int(cohort.sizes.get(GENE, 0))}
        sets = next((value for value in each.arguments.values() if isinstance(value, GeneSets)), None)
        sizes["gene_set"] = 0 if sets is None else len(sets)
        return max(2, sizes.get(over, 0))

    def models(self) -> Iterator[PlannedModel]:
        outcomes = {outcome.step: outcome for outcome in self.notes.outcomes}
        for each in self.planned:
            cohort, event = self.cohort(each), each.arguments.get("event")
            if each.entry.tests is None or cohort is None or not isinstance(event, str) or event not in cohort:
                continue
            known = _known(cohort, (event, each.arguments.get("duration")))
            happened = cohort[event].values[known].astype(float) > 0
            noted = outcomes.get(each.step.name)
            yield PlannedModel(
                each.step.name,
                patients=int(known.sum()),
                events=int(happened.sum()),
                terms=self.terms(each, cohort),
                origin=noted.origin if noted else "",
                score_known=noted.score_known if noted else "",
                delayed_entry=each.arguments.get("entry") is not None,
            )

    def terms(self, each: PlannedStep, cohort: xr.Dataset) -> int:
        """Coefficients of a model: one for each number, one for each level but the first of a label, and one for what is scanned."""
        covariates = each.arguments.get("covariates")
        named = [str(name) for name in covariates] if isinstance(covariates, tuple) else []
        scanned = each.entry.tests is not None and each.entry.tests.over == GENE
        levels = [
            len(set(cohort[name].values.astype(str))) - 1 if name in cohort and cohort[name].dtype.kind in "OUT" else 1
            for name in named
        ]
        return max(1, sum(levels) + scanned)

    def signatures(self) -> Iterator[SignatureUse]:
        """Gene sets that are scored, each once for the cells and once for each cohort."""
        origins = {signature.name: signature for signature in self.notes.signatures}
        seen = set()
        for each in self.planned:
            if not SCORES & set(each.entry.variables):
                continue
            root = each.step.of if each.step.of.startswith(PATIENTS) else CELLS
            share = each.arguments.get("minimum_share")
            for gene_set in (
                found for value in each.arguments.values() if isinstance(value, GeneSets) for found in value
            ):
                if (gene_set.name, root) in seen:
                    continue
                seen.add((gene_set.name, root))
                noted = origins.get(gene_set.name)
                yield SignatureUse(
                    f"{gene_set.name} in {root}",
                    genes=gene_set.genes,
                    measured=frozenset(self.measured(root)),
                    derivation=Material(noted.patients, labels=noted.labels) if noted else None,
                    test=self.material(root),
                    minimum_share=float(share) if isinstance(share, float) else 0.5,
                )

    def measured(self, root: str) -> tuple[str, ...]:
        if root == CELLS:
            return self.tables.genes
        cohort = self.tables.cohorts[root]
        return tuple(str(name) for name in cohort[GENE].values) if GENE in cohort.indexes else ()

    def cutoffs(self) -> Iterator[SignatureUse]:
        """Cut-offs that tests rest on: labels that a step made from scores alone, each with the steps that test them."""
        users: dict[tuple[Reference, tuple[str, ...]], list[str]] = {}
        for each in self.planned:
            if each.entry.tests is not None and not each.entry.tests.descriptive:
                for reference in dict.fromkeys(self.upstream(each)):
                    users.setdefault((reference, each.roots), []).append(each.step.name)
        for (reference, roots), names in users.items():
            source = self.steps[reference.step]
            threshold = source.arguments.get("threshold")
            if isinstance(threshold, Reference) and threshold.step in self.steps:
                source = self.steps[threshold.step]
            yield SignatureUse(
                f"{reference} in {listed(names)}",
                test=self.material(*roots),
                cutoff=self.material(*source.roots),
                cutoff_rule="frozen" if isinstance(threshold, float) else "blind",
            )

    def upstream(self, each: PlannedStep) -> Iterator[Reference]:
        """Labels cut from scores that a step, or anything it is made of, reads."""
        for reference in references_of(each.step):
            if reference.step in self.steps and reference.variable in self.steps[reference.step].entry.cutoffs:
                yield reference
        if each.step.of in self.steps:
            yield from self.upstream(self.steps[each.step.of])

    def material(self, *roots: str) -> Material:
        names: list[str] = []
        for root in roots:
            if root == CELLS and PATIENT in self.tables.samples:
                names += [str(name) for name in self.tables.samples[PATIENT]]
            elif root in self.tables.cohorts:
                names += [str(name) for name in self.tables.cohorts[root][PATIENT].values]
        return Material(tuple(dict.fromkeys(names)))


def _known(cohort: xr.Dataset, names: Sequence[object]) -> np.ndarray:
    known = np.ones(cohort.sizes[PATIENT], dtype=bool)
    for name in names:
        if isinstance(name, str) and name in cohort and cohort[name].dims == (PATIENT,):
            known &= ~pd.isna(cohort[name].values)
    return known
