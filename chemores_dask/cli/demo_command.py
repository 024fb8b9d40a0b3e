"""``chemores demo``: a cohort with known truth, from files to report, in one command."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from chemores_dask.cli.ingest_command import ingest_with_progress
from chemores_dask.cli.run_command import REPORT, adapted_pipeline, run_and_report, show_bill, show_claims
from chemores_dask.cli.simulate_command import preset_design, simulate_with_progress
from chemores_dask.cli.terminal import say
from chemores_dask.errors import InputError
from chemores_dask.ingest.clinical_tables import ClinicalColumns
from chemores_dask.ingest.options import IngestOptions
from chemores_dask.ingest.patient_cohort import ingest_patients
from chemores_dask.simulation.design import SimulationDesign

COHORT = "bulk"


def perform(folder: Path, *, preset: str, pipeline: Path, seed: int) -> None:
    """Simulate, ingest, run, and show what was recovered beside what was planted."""
    files, store, out = folder / "files", folder / "cohort.zarr", folder / "results"
    study = adapted_pipeline(pipeline, gene_sets=None, seed=None)
    simulate_once(files, design=preset_design(preset, sizes={}), seed=seed)
    say(f"Bringing its files into {store}")
    report = ingest_with_progress(files / "samples.csv", store, options=IngestOptions())
    say(f"{report.cells:,} cells, {report.nonzeros:,} counts above zero")
    columns = ClinicalColumns(patient="patient", durations=("time",), events=("event",))
    expression = files / "bulk_expression.tsv.gz"
    ingest_patients(store, cohort=COHORT, clinical=files / "clinical.tsv", expression=expression, columns=columns)
    say(f"Running the pipeline {study.name}")
    record = run_and_report(study, store, out=out, claims=files / "truth" / "claims.toml")
    show_bill(record)
    say("", "What was planted, and what the pipeline recovered:")
    show_claims(record.claims)
    say("", f"Report: {out / REPORT}")


def simulate_once(files: Path, *, design: SimulationDesign, seed: int) -> None:
    """Simulate a cohort, unless the same one is there already.

    Raises
    ------
    InputError
        If another one is there: its store and results belong to it.
    """
    truth = files / "truth" / "truth.json"
    if not truth.is_file():
        say(f"Simulating a cohort with known truth into {files}")
        simulate_with_progress(files, design=design, seed=seed)
        return
    planted = json.loads(truth.read_text(encoding="utf-8"))
    wanted = json.loads(json.dumps({"seed": seed, "design": asdict(design)}))
    if any(planted.get(name) != value for name, value in wanted.items()):
        message = (
            f"A demo takes a folder of its own. {files} holds a cohort of another seed, preset or version; "
            "name another folder, or remove this one."
        )
        raise InputError(message)
    say(f"The simulated cohort is in {files}")
