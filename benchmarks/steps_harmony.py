"""Batches of an embedding drawn together: ours, and harmonypy, on the components that ours.pca has written.

Samples take turns as twenty batches, each shifted by draws that belong to its number.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

import chemores_dask as cd
from benchmarks.absent import need_doors, need_package
from benchmarks.one_step import Clock, Place
from benchmarks.steps_ours import FINGERPRINT, SEED, keep_check

BATCHES = 20
SHIFT = 0.7
"""Of a batch, in standard deviations of every component."""

CHECKED = 1_000
"""Cells whose corrected scores are kept, to be held against the others."""


def ours(place: Place, clock: Clock) -> None:
    """Corrected scores, computed and read once."""
    need_doors("harmony")
    cells = shifted(place)
    with clock("harmony"):
        found = cd.harmony(cells, batch="bench_batch", seed=SEED)
        corrected = found["harmony_scores"].values
    clock.facts["iterations"] = int(found.sizes["iteration"]) - 1
    clock.facts["mixing_before"] = found["harmony_mixing_before"].item()
    clock.facts["mixing_after"] = found["harmony_mixing_after"].item()
    clock.facts["mixing_expected"] = found["harmony_mixing_expected"].item()
    keep_check(place, "harmony_ours", scores=corrected[:: step_of(corrected)].astype(float).tolist())


def harmonypy(place: Place, clock: Clock) -> None:
    """The same in memory, with as many threads as there are cores."""
    package, pd = need_package("harmonypy"), need_package("pandas")
    cells = shifted(place)
    labels = pd.DataFrame({"bench_batch": cells["bench_batch"].values.astype(str)})
    scores = cells["scores"].values
    with clock("harmony"):
        found = package.run_harmony(scores, labels, ["bench_batch"], verbose=False, random_state=SEED)
        corrected = np.asarray(found.Z_corr)
    clock.facts["iterations"] = len(found.objective_harmony) - 1
    keep_check(place, "harmony_harmonypy", scores=corrected[:: step_of(corrected)].astype(float).tolist())


def shifted(place: Place) -> xr.Dataset:
    """Components with a shift for each batch, and the batch of every cell."""
    scores = cd.open_result(place.store, step="bench_pca", fingerprint=FINGERPRINT)["pca_scores"].values
    samples = cd.open_cells(place.store, columns=["sample"]).obs["sample"].astype(str).to_numpy()
    number = np.unique(samples, return_inverse=True)[1]
    # Where there are fewer samples than batches, each is cut into halves and so on.
    pieces = -(-BATCHES // (int(number.max()) + 1))
    batch = (number * pieces + np.arange(len(number)) * pieces // len(number)) % BATCHES
    draws = np.random.default_rng(SEED).normal(size=(BATCHES, scores.shape[1]))
    moved = scores + SHIFT * scores.std(axis=0) * draws[batch]
    return xr.Dataset({"scores": (("cell", "component"), moved.astype(np.float32)), "bench_batch": ("cell", batch)})


def step_of(scores: np.ndarray) -> int:
    """Every how many cells one is kept."""
    return max(len(scores) // CHECKED, 1)
