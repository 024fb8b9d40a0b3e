"""``chemores ingest-patients``: bring a cohort of patients into a store."""

from __future__ import annotations

from pathlib import Path

from chemores_dask.checks import listed
from chemores_dask.cli.terminal import say
from chemores_dask.ingest.clinical_tables import ClinicalColumns
from chemores_dask.ingest.patient_cohort import ingest_patients
from chemores_dask.store.patients import open_patients


def perform(
    clinical: Path,
    store: Path,
    *,
    cohort: str,
    expression: Path | None,
    patient: str | None,
    duration: list[str] | None,
    event: list[str] | None,
    required: list[str] | None,
    allow_column: list[str] | None,
) -> None:
    """Bring a cohort of patients into a store, and say what it holds."""
    columns = ClinicalColumns(
        patient=patient,
        durations=tuple(duration or ()),
        events=tuple(event) if event else None,
        required=tuple(required or ()),
        allow=tuple(allow_column or ()),
    )
    ingest_patients(store, cohort=cohort, clinical=clinical, expression=expression, columns=columns)
    patients = open_patients(store, cohort=cohort)
    genes = f", {patients.sizes['gene']:,} genes" if "gene" in patients.sizes else ""
    say(f"Cohort {cohort}: {patients.sizes['patient']:,} patients{genes}")
    for lacked, names in (
        (listed(columns.required), patients.attrs["patients_without_required"]),
        ("expression", patients.attrs["patients_without_expression"]),
    ):
        if names:
            say(f"Left out without {lacked}: {len(names)} ({', '.join(names)})")
    say(f"Store: {store}", f"Pipelines read it as patients/{cohort}")
