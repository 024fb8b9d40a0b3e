"""The whole bench: inputs, steps, rivals, tables and plots.

``python -m benchmarks.run 100000 200000 1000000 --tiled 10000000`` measures, and writes ``benchmarks/results/measurements.tsv`` (every
step), ``requirements.tsv`` (what must be reached, and what was) and two plots. Whatever was measured is kept in ``--folder``, so that the
same command goes on where it was cut short; ``--fresh`` measures everything again (and keeps the inputs).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks.jobs import PARTS, jobs_of, warm_jobs
from benchmarks.measurement import DONE, Job, Notebook, measure
from benchmarks.one_step import WARM
from benchmarks.steps_embeddings import GRAPH, STEP
from benchmarks.steps_ours import FINGERPRINT
from benchmarks.tables import write_tables

RESULTS = Path(__file__).parent / "results"
SIZES = (100_000, 200_000, 1_000_000)
TILED = 10_000_000


def bench(jobs: list[Job], folder: Path) -> Notebook:
    """Measure what was not measured yet, and say how it goes."""
    folder.mkdir(parents=True, exist_ok=True)
    _warm(folder)
    notebook = Notebook(folder)
    for number, job in enumerate(jobs, start=1):
        if notebook.finished(job) or _input_is_there(job, folder):
            _say(f"{number:>3}/{len(jobs)}  {job.key:<36} kept")
            continue
        (folder / str(job.cells)).mkdir(exist_ok=True)
        row = measure(job, folder)
        notebook.add(row)
        _say(f"{number:>3}/{len(jobs)}  {job.key:<36} {_told(row)}")
    return notebook


def _warm(folder: Path) -> None:
    for job in warm_jobs():
        place = folder / WARM
        if (place / "counts.h5ad").is_file():
            return
        named = folder / str(job.cells)
        if not place.exists():
            place.mkdir()
            named.symlink_to(WARM)
        row = measure(job, folder)
        if row["status"] != DONE:
            message = f"The tiny inputs could not be made: {row['why']}"
            raise RuntimeError(message)


def _input_is_there(job: Job, folder: Path) -> bool:
    made = {
        "inputs.simulate": "files/samples.csv",
        "inputs.ingest_tenx": "cohort.zarr/cells/zarr.json",
        "inputs.export_h5ad": "counts.h5ad",
        "inputs.tile": "cohort.zarr/cells/zarr.json",
        "bpcells.convert": "bpcells/done",
        **dict.fromkeys(("embeddings.part", "embeddings.tile"), f"cohort.zarr/results/{STEP}/{FINGERPRINT}/zarr.json"),
        "embeddings.graph": f"cohort.zarr/results/{GRAPH}/{FINGERPRINT}/zarr.json",
    }
    return job.step in made and (folder / str(job.cells) / made[job.step]).is_file()


def _told(row: dict[str, object]) -> str:
    if row["status"] != DONE:
        return f"{row['status']}: {row['why']}"
    return f"{row['seconds']:9.2f} s  {row['peak_bytes'] / 1e9:6.2f} GB  load {row['load']}"  # type: ignore[operator]


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def main() -> None:
    """Measure the sizes given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, help="numbers of simulated cells")
    parser.add_argument("--tiled", type=int, default=TILED, help="cells of a store of ten tiles; 0 for none")
    parser.add_argument("--folder", type=Path, default=Path(".bench"), help="where inputs and measurements are kept")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where tables and plots are written")
    parser.add_argument("--skip", nargs="*", choices=PARTS, default=(), help="parts to leave out")
    parser.add_argument("--fresh", action="store_true", help="measure everything again")
    given = parser.parse_args()
    started = time.perf_counter()
    if given.fresh:
        (given.folder / "measurements.jsonl").unlink(missing_ok=True)
    notebook = bench(jobs_of(given.sizes, tiled=given.tiled, skip=given.skip), given.folder)
    requirements = write_tables(notebook, given.results, sizes=given.sizes, tiled=given.tiled, folder=given.folder)
    _say(requirements.to_string(index=False))
    _say(f"{time.perf_counter() - started:.0f} s in all")


if __name__ == "__main__":
    main()
