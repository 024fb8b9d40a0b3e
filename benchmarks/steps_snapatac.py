"""The same steps in SnapATAC2, whose matrices stay on disk."""

from __future__ import annotations

import shutil

import numpy as np

from benchmarks.absent import need_package
from benchmarks.one_step import Clock, Place
from benchmarks.steps_ours import COMPONENTS, variable


def group_sums(place: Place, clock: Clock) -> None:
    """Sums of every gene in every sample."""
    snap = need_package("snapatac2")
    with clock("group sums"):
        cells = snap.read(place.h5ad, backed="r")
        found = snap.tl.aggregate_X(cells, groupby="sample")
        assert found.shape[0] > 1
        cells.close()


def embedding(place: Place, clock: Clock) -> None:
    """Fifty components of its spectral embedding, of the variable genes that our chain found."""
    snap = need_package("snapatac2")
    chosen = set(variable(place))
    own = place.folder / "snapatac.h5ad"
    shutil.copyfile(place.h5ad, own)
    with clock("embedding"):
        cells = snap.read(own, backed="r+")
        features = np.array([name in chosen for name in cells.var_names])
        snap.tl.spectral(cells, n_comps=COMPONENTS, features=features, random_state=0)
        cells.close()
    own.unlink()
