"""Diffusion components: the slowest modes of a random walk on a graph of cells."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import xarray as xr
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import LinearOperator, eigsh

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.checks import check_whole
from chemores_dask.errors import DisconnectedGraphWarning, ParameterError
from chemores_dask.graph.stored_graph import connectivity_matrix
from chemores_dask.kernels.blas_threads import single_blas_thread
from chemores_dask.memory import plan_tasks
from chemores_dask.randomness import cell_uniforms
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

RESULT = declare(
    Variable(
        "diffusion_components",
        ("cell", "component"),
        "f",
        doc="eigenvectors of length 1 of the symmetrized walk; component 0 is the trivial one",
    ),
    Variable("diffusion_eigenvalue", ("component",), "f", doc="1 for every part of the graph, then descending"),
    Variable("diffusion_parts", (), "i", unit="parts", doc="of the graph that no edge joins"),
)

DENSE_CELLS = 500
"""Up to this many cells all eigenvectors are computed, and the first ones kept."""

TOLERANCE = 1e-5
"""Of eigenvalues, relative."""

BASIS_PER_COMPONENT = 4
"""Vectors that the iteration keeps for each component: more take more memory and fewer rounds."""

FEWEST_COMPONENTS = 5
"""The basis is that of so many at least."""

BYTES_PER_EDGE, BYTES_PER_NUMBER = 28, 32
"""Held at the peak beside the graph: of every edge in either direction; of every cell and component."""

BELOW = 3.0
"""What is taken from the eigenvalue 1 of known eigenvectors: they then come after all others, which are above -1."""


@dataclass(frozen=True)
class _Walk:
    """A symmetrized random walk and what is known of it without iterations.

    Attributes
    ----------
    matrix
        Symmetric, float64; eigenvalues between -1 and 1.
    parts
        Number of the part of every cell, by descending size.
    steady
        Of every cell: its entry in the eigenvector, of length 1, that has the eigenvalue 1 and lives on its part.
    """

    matrix: sp.csr_matrix
    parts: Vector
    steady: Vector

    def without_steady(self, vector: Vector) -> Vector:
        """The walk on a vector, with the known eigenvectors moved below all others."""
        vector = vector.ravel()
        share = np.bincount(self.parts, weights=self.steady * vector)
        moved: Vector = self.matrix @ vector - BELOW * self.steady * share[self.parts]
        return moved


def diffusion_map(graph: xr.Dataset, *, components: int = 15, density_normalize: bool = True, seed: Seed) -> xr.Dataset:
    """Diffusion components of a graph of cells.

    The weights ``K`` are made independent of how densely cells were sampled, ``K_ij / (q_i q_j)`` with row sums ``q`` [1]_; with row sums
    ``z`` of these, ``K_ij / (q_i q_j sqrt(z_i z_j))`` has the eigenvalues of a random walk between neighbors. Its leading eigenvectors
    change slowest along the graph: they order cells along trajectories [2]_.

    Parameters
    ----------
    graph
        Result of :func:`neighbors`.
    components
        How many, the trivial one included; at most one per cell.
    density_normalize
        Whether the density of cells is divided out; otherwise ``q`` is 1.
    seed
        Starts the iteration.

    Returns
    -------
    Dataset over ``cell`` and ``component`` (from 0): ``diffusion_components``, unit vectors over the cells, and
    ``diffusion_eigenvalue``, by which one may weigh them. ``diffusion_parts`` counts the parts of the graph.

    Raises
    ------
    InputError
        If the graph is not one.
    MissingVariableError
        If it has no connectivities.
    ParameterError
        If there are more components than cells.
    BlockTooLargeError
        If the walk does not fit into the memory budget.

    Warns
    -----
    DisconnectedGraphWarning
        If the graph has several parts.

    Notes
    -----
    Passes over the counts: 0 computed.

    As in ``scanpy.tl.diffmap``, component 0 is the trivial one: the square root of how often the walk visits a cell, with eigenvalue 1.
    Leave it out of distances and plots. Between parts of a graph nothing diffuses: every part has an eigenvalue 1, and a component that
    is 0 on all other cells. These come first, the largest part before the others, until ``components`` are full; a cell without edges
    is a part. The other components then belong to one part each, or mix them where eigenvalues are equal. Above 500 cells, of
    eigenvalues that are equal to the last digit (a graph that is symmetric in itself, a part that is there twice) one may be missed.

    Signs are free; the entry farthest from 0 is made positive (the first of equal ones). Eigenvalues agree with scanpy's within 1e-4;
    vectors do as far as their eigenvalues lie apart. The same seed gives the same bits: BLAS runs on one thread.

    The iteration is that of Lanczos, restarted (ARPACK), in the process of the caller, since every step needs the one before. Memory:
    about 28 bytes an edge and direction, and 32 bytes per cell and component; 1.2 GB at a million cells of 15 neighbors and 15
    components, beside the graph.

    References
    ----------
    .. [1] Coifman RR, Lafon S (2006). Diffusion maps. Applied and Computational Harmonic Analysis 21:5-30.
    .. [2] Haghverdi L, Buettner F, Theis FJ (2015). Diffusion maps for high-dimensional single-cell analysis of differentiation data.
       Bioinformatics 31:2989-2998.

    Examples
    --------
    >>> from chemores_dask import neighbors
    >>> line = xr.DataArray(np.arange(60.0)[:, None], dims=("cell", "component"), name="scores")
    >>> walk = diffusion_map(neighbors(line, neighbors=4, seed=1), components=2, seed=1)
    >>> slow = walk["diffusion_components"].values[:, 1]
    >>> bool((slow[:25] * slow[35:] < 0).all())  # the two halves of the line
    True
    """
    check_whole(components, parameter="components", caller="diffusion_map", minimum=1)
    check_whole(seed, parameter="seed", caller="diffusion_map")
    matrix = connectivity_matrix(graph, caller="diffusion_map")
    cells = matrix.shape[0]
    if components > cells:
        message = (
            f"The 'components' parameter of diffusion_map must be at most the number of cells. Got {components:,} for {cells:,} cells; "
            "ask for fewer."
        )
        raise ParameterError(message)
    held = BYTES_PER_EDGE * matrix.nnz + BYTES_PER_NUMBER * cells * max(components, FEWEST_COMPONENTS)
    plan_tasks(held, caller="diffusion_map", tasks=1)
    with single_blas_thread():
        walk = _walk_of(matrix, density_normalize=density_normalize)
        parts = int(walk.parts.max()) + 1
        _warn_of_parts(parts, components, cells)
        vectors, eigenvalues = _leading(walk, components, seed=seed)
    labels = {"cell": graph["cell"].to_numpy()} if "cell" in graph.coords else {}
    return make_result(
        RESULT,
        {"diffusion_components": vectors, "diffusion_eigenvalue": eigenvalues, "diffusion_parts": parts},
        analysis="diffusion_map",
        parameters={"components": components, "density_normalize": density_normalize, "seed": seed},
        coordinates={**labels, "component": np.arange(components)},
    )


def _walk_of(weights: sp.csr_matrix, *, density_normalize: bool) -> _Walk:
    parts = _parts_by_size(weights)
    matrix = weights.astype(np.float64)
    degree = np.asarray(matrix.sum(axis=1)).ravel()
    alone = degree == 0
    density = np.where(alone, 1.0, degree) if density_normalize else np.ones(len(degree))
    visits = (matrix @ (1 / density)) / density
    scale = 1 / (density * np.sqrt(np.where(alone, 1.0, visits)))
    matrix.data *= np.repeat(scale, np.diff(matrix.indptr))
    matrix.data *= scale[matrix.indices]
    visits[alone] = 1.0
    steady = np.sqrt(visits / np.bincount(parts, weights=visits)[parts])
    return _Walk(matrix, parts, steady)


def _parts_by_size(weights: sp.csr_matrix) -> Vector:
    """Number of the part of every cell: the largest is 0; of equal ones, that with the first cell comes first."""
    number, found = connected_components(weights, directed=False)
    _, first = np.unique(found, return_index=True)
    order = np.lexsort((first, -np.bincount(found, minlength=number)))
    rank = np.empty(number, dtype=np.int64)
    rank[order] = np.arange(number)
    return np.asarray(rank[found])


def _warn_of_parts(parts: int, components: int, cells: int) -> None:
    if parts > 1:
        taken = min(parts, components)
        message = (
            f"A graph of {cells:,} cells has {parts:,} parts that no edge joins: the first {taken:,} of {components:,} diffusion "
            "components only tell them apart. Order cells within one part, or compute neighbors again with more neighbors."
        )
        warnings.warn(message, DisconnectedGraphWarning, stacklevel=3)


def _leading(walk: _Walk, components: int, *, seed: Seed) -> tuple[Matrix, Vector]:
    cells = len(walk.parts)
    known = min(int(walk.parts.max()) + 1, components)
    vectors = np.zeros((cells, components))
    eigenvalues = np.ones(components)
    chosen = np.flatnonzero(walk.parts < known)
    vectors[chosen, walk.parts[chosen]] = walk.steady[chosen]
    wanted = components - known
    if wanted:
        found, slow = _dense(walk, wanted) if cells <= DENSE_CELLS else _iterated(walk, wanted, seed=seed)
        order = np.argsort(-found, kind="stable")
        eigenvalues[known:] = found[order]
        vectors[:, known:] = slow[:, order]
    farthest = np.abs(vectors).argmax(axis=0)
    vectors *= np.where(vectors[farthest, np.arange(components)] < 0, -1.0, 1.0)
    return vectors, eigenvalues


def _dense(walk: _Walk, wanted: int) -> tuple[Vector, Matrix]:
    whole = walk.matrix.toarray() - BELOW * np.where(
        walk.parts[:, None] == walk.parts, np.outer(walk.steady, walk.steady), 0.0
    )
    eigenvalues, vectors = np.linalg.eigh(whole)
    return eigenvalues[-wanted:], vectors[:, -wanted:]


def _iterated(walk: _Walk, wanted: int, *, seed: Seed) -> tuple[Vector, Matrix]:
    cells = len(walk.parts)
    operator = LinearOperator((cells, cells), matvec=walk.without_steady, dtype=np.float64)
    start = cell_uniforms(seed, np.arange(cells, dtype=np.uint64))[:, 0] - 0.5
    kept = min(BASIS_PER_COMPONENT * max(wanted, FEWEST_COMPONENTS), cells)
    eigenvalues, vectors = eigsh(operator, k=wanted, which="LA", v0=start, ncv=kept, tol=TOLERANCE)
    return eigenvalues, vectors
