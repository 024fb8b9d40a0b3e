"""Writes a simulated cohort: the files of a laboratory, and the truth beside them.

::

    FOLDER/
      samples.csv                 sample, path, patient, stage, batch, subtype
      <sample>/                   barcodes.tsv.gz, features.tsv.gz, matrix.mtx.gz
      <sample>.h5                 the other form
      clinical.tsv                bulk cohort: patient, time, event, response, necrosis, age, sex, subtype
      bulk_expression.tsv.gz      bulk cohort: log2(TPM + 1), genes by patients
      gene_sets.gmt
      truth/
        simulation.json           written first: marks the folder as a simulation
        cells.tsv.gz  bulk.tsv  claims.toml
        truth.json                written last
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dask
import pandas as pd

from chemores_dask.aliases import Block, Seed
from chemores_dask.checks import listed
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.gene_sets import GeneSets
from chemores_dask.simulation.bulk_cohort import BulkCohort, simulated_bulk
from chemores_dask.simulation.design import SimulationDesign
from chemores_dask.simulation.expression_profiles import Profiles, sample_profiles, state_profiles
from chemores_dask.simulation.gene_panel import GenePanel, gene_panel, planted_gene_sets
from chemores_dask.simulation.paired_patients import PlannedSample, planned_samples
from chemores_dask.simulation.simulated_cells import (
    CELLS_PER_BLOCK,
    SimulatedCells,
    cell_barcodes,
    cell_ranges,
    cell_table,
    simulated_cells,
    simulated_counts,
)
from chemores_dask.simulation.tenx_writers import TenxSample, gzip_file, write_tenx_folder, write_tenx_h5
from chemores_dask.simulation.truth import (
    TRUTH_FORMAT,
    SampleTally,
    claims_toml,
    planted_claims,
    sample_record,
    truth_record,
)

Progress = Callable[[int, int], None]
"""Called with the cells written so far and all cells; never by two threads at once."""

DEFAULT_DESIGN = SimulationDesign()

_MARK = Path("truth") / "simulation.json"
_TABLES = ("samples.csv", "clinical.tsv", "bulk_expression.tsv.gz", "gene_sets.gmt", "truth")
_SHEET_COLUMNS = ("sample", "path", "patient", "stage", "batch", "subtype")


@dataclass(frozen=True)
class CellSource:
    """Draws the cells of a cohort, any block of any sample by itself.

    Attributes
    ----------
    design, seed
        What the cohort is made from.
    panel
        The genes.
    profiles
        Proportions in the states, before the shifts of patients, batches and samples.
    rows_per_block
        Cells drawn at a time; changes nothing but the memory taken.
    """

    design: SimulationDesign
    seed: Seed
    panel: GenePanel
    profiles: Profiles
    rows_per_block: int = CELLS_PER_BLOCK

    def cells(self, sample: PlannedSample) -> Iterator[tuple[int, SimulatedCells]]:
        """What the cells of a sample are, with the number of the first, block by block."""
        for start, stop in cell_ranges(self.design.cells_per_sample, rows_per_block=self.rows_per_block):
            yield start, simulated_cells(sample, design=self.design, seed=self.seed, start=start, stop=stop)

    def counts(self, sample: PlannedSample) -> Iterator[Block]:
        """Counts of a sample, block by block."""
        profiles = sample_profiles(
            self.profiles,
            design=self.design,
            seed=self.seed,
            patient=sample.patient,
            batch=sample.batch,
            sample=sample.name,
        )
        for _, cells in self.cells(sample):
            yield simulated_counts(cells, profiles)


@dataclass
class _Reporter:
    """Adds up the cells that several threads have written."""

    progress: Progress | None
    expected: int
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, cells: int) -> None:
        with self.lock:
            self.done += cells
            if self.progress is not None:
                self.progress(self.done, self.expected)


def simulate(
    folder: str | Path,
    *,
    design: SimulationDesign = DEFAULT_DESIGN,
    seed: Seed,
    progress: Progress | None = None,
) -> Path:
    """Write a cohort with known truth, in the files that a laboratory would hold.

    Paired patients with single-cell counts at two stages (10x folders and HDF5 files, a sample sheet), an independent bulk cohort
    with survival and response, gene sets, and the truth. Counts are negative binomial around proportions of genes that depend on
    the state of the cell, its phase, its position on the resistance axis, the patient and the batch. Every cell is a function of
    the seed, its sample and its number, and is written block by block.

    Parameters
    ----------
    folder
        Where to write: a new or empty folder, or an earlier simulation, which is replaced.
    design
        Sizes and effects.
    seed
        Any integer; the same seed and design give the same bytes.
    progress
        Called with the cells written so far and the number of all cells.

    Returns
    -------
    The folder.

    Raises
    ------
    ParameterError
        If the genes do not suffice for the modules and gene sets.
    InputError
        If the folder holds something that is not a simulation.

    Notes
    -----
    Samples are written by Dask's threads, one task each. Memory does not grow with the number of cells beyond their barcodes.

    Examples
    --------
    >>> import tempfile
    >>> folder = simulate(tempfile.mkdtemp(), design=SimulationDesign.tiny(), seed=1)
    >>> (folder / "truth" / "truth.json").exists()
    True
    """
    folder = Path(folder)
    source = cell_source(design, seed=seed)
    gene_sets = planted_gene_sets(source.panel, seed=seed)
    samples = planned_samples(design, seed=seed)
    bulk = simulated_bulk(source.panel, gene_sets, design=design, seed=seed)
    _prepare(folder, samples)
    _write_sheet(folder, samples)
    _write_gene_sets(folder / "gene_sets.gmt", gene_sets)
    _write_bulk(folder, bulk)
    reporter = _Reporter(progress, design.cells)
    tasks = [
        dask.delayed(_write_sample)(folder, source, sample, reporter, dask_key_name=sample.name) for sample in samples
    ]
    dask.compute(*tasks, scheduler="threads")
    records = _write_cell_truth(folder / "truth" / "cells.tsv.gz", source, samples)
    truth = truth_record(records, bulk, design=design, seed=seed)
    claims = planted_claims(truth, design=design)
    (folder / "truth" / "claims.toml").write_text(claims_toml(claims), encoding="utf-8")
    _write_json(folder / "truth" / "truth.json", truth)
    return folder


def cell_source(design: SimulationDesign, *, seed: Seed) -> CellSource:
    """Prepare to draw the cells of a cohort.

    Parameters
    ----------
    design
        Sizes and effects.
    seed
        Any integer.
    """
    if isinstance(seed, bool) or not isinstance(seed, int):
        message = f"The 'seed' parameter of simulate must be a whole number. Got {seed!r}."
        raise ParameterError(message)
    panel = gene_panel(design.genes, seed=seed)
    return CellSource(design, seed, panel, state_profiles(panel, design=design, seed=seed))


def _prepare(folder: Path, samples: Sequence[PlannedSample]) -> None:
    """Empty an earlier simulation, refuse anything else, and mark the folder."""
    if folder.exists() and not folder.is_dir():
        message = f"A cohort is simulated into a folder. {folder} is a file; name another place."
        raise InputError(message)
    found = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if found:
        if not (folder / _MARK).is_file():
            message = (
                f"A cohort is simulated into an empty folder or over an earlier simulation. {folder} holds other things: "
                f"{listed(found)}; name another place."
            )
            raise InputError(message)
        earlier = json.loads((folder / _MARK).read_text(encoding="utf-8"))["paths"]
        for name in (*earlier, *_TABLES):
            _remove(folder / Path(name).name)
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    _write_json(folder / _MARK, {"simulation": TRUTH_FORMAT, "paths": [sample.path for sample in samples]})


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write_sample(folder: Path, source: CellSource, sample: PlannedSample, reporter: _Reporter) -> None:
    barcodes = cell_barcodes(0, source.design.cells_per_sample)
    written = TenxSample(sample.name, source.panel, barcodes, lambda: source.counts(sample), reporter.add)
    if sample.path.endswith(".h5"):
        write_tenx_h5(written, folder / sample.path)
    else:
        write_tenx_folder(written, folder / sample.path)


def _write_sheet(folder: Path, samples: Sequence[PlannedSample]) -> None:
    rows = [(s.name, s.path, s.patient, s.stage, s.batch, s.subtype) for s in samples]
    pd.DataFrame(rows, columns=list(_SHEET_COLUMNS)).to_csv(folder / "samples.csv", index=False, lineterminator="\n")


def _write_gene_sets(path: Path, gene_sets: GeneSets) -> None:
    lines = ["\t".join((gene_set.name, gene_set.source, *gene_set.genes)) for gene_set in gene_sets]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_bulk(folder: Path, bulk: BulkCohort) -> None:
    bulk.clinical.to_csv(folder / "clinical.tsv", sep="\t", index=False, lineterminator="\n")
    bulk.truth.round(6).to_csv(folder / "truth" / "bulk.tsv", sep="\t", index=False, lineterminator="\n")
    with gzip_file(folder / "bulk_expression.tsv.gz") as target:
        text = bulk.expression.to_csv(sep="\t", index_label="gene", lineterminator="\n", float_format="%.4f")
        target.write(text.encode())


def _write_cell_truth(path: Path, source: CellSource, samples: Sequence[PlannedSample]) -> list[dict[str, object]]:
    records = []
    with gzip_file(path) as target:
        for number, sample in enumerate(samples):
            tally = SampleTally()
            for start, cells in source.cells(sample):
                tally.add(cells)
                table = cell_table(cells, sample=sample.name, start=start)
                head = number == 0 and start == 0
                target.write(table.to_csv(sep="\t", index=False, header=head, lineterminator="\n").encode())
            records.append(sample_record(sample, tally))
    return records


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
