"""Cells of a store as a standard AnnData file, results attached: written in pieces, and there only when it is whole."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import zarr
from anndata.io import read_elem, write_elem

from chemores_dask.aliases import StorePath, Vector
from chemores_dask.checks import check_one_of, listed
from chemores_dask.errors import MissingVariableError, ParameterError, StoreBusyError, StoreError
from chemores_dask.store.attach import attach
from chemores_dask.store.cells import check_complete, read_columns
from chemores_dask.store.export_matrix import COMPRESSIONS, kept_rows, write_h5_matrix, write_zarr_matrix
from chemores_dask.store.export_results import ChosenResult, check_places, choose_results, close_names, write_large
from chemores_dask.store.layout import (
    CELLS,
    GROUP_FILE,
    SCHEMA_ATTRIBUTE,
    anndata_writing,
    existing_root,
    group_attributes,
)
from chemores_dask.store.sharded_csr import SAMPLE, read_pointers
from chemores_dask.store.table_files import check_tables

ENCODING = {"encoding-type": "anndata", "encoding-version": "0.1.0"}
TABLES = ("obs", "var", "varm", "obsp", "varp", "layers", "uns")
ORIGIN = "exported_from"
INGEST_REPORT = "ingest_report"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LARGE_PARTS = "obsm"


@dataclass(frozen=True)
class _Head:
    """All of an exported AnnData but its counts and its large results.

    Attributes
    ----------
    table
        The chosen cells and all genes, small results attached; without counts.
    names
        Of all cells of the store.
    kept
        Which of them are chosen.
    pointers
        Of the rows of the store.
    """

    table: anndata.AnnData
    names: pd.Index
    kept: Vector
    pointers: Vector

    @property
    def row_nonzeros(self) -> Vector:
        return np.asarray(np.diff(self.pointers)[self.kept])


def export_cells(
    store: StorePath,
    path: StorePath,
    *,
    samples: Sequence[str] | None = None,
    results: Sequence[str] = (),
    compression: str = "gzip",
    replace: bool = False,
) -> Path:
    """Write the cells of a store as one AnnData file that anndata, scanpy and others open.

    Counts are never held whole. The file is written beside its place, in a hidden folder ``.NAME.partial``, and moved there at the end;
    after an error nothing of it is left.

    Parameters
    ----------
    store
        Path of the store.
    path
        Of the new file: ``*.h5ad`` or ``*.zarr``.
    samples
        Samples whose cells are wanted; all unless given. The order of the cells stays that of the store.
    results
        Results to attach: ``"step"`` for the latest complete one, ``"step@fingerprint"`` for another. They lie where
        :func:`~chemores_dask.store.attach.attach` puts them.
    compression
        Of the counts in an ``.h5ad``: ``"gzip"`` (every reader knows it), ``"lzf"`` or ``"none"`` (largest, and fastest to read). A zarr
        has the codecs of the store.
    replace
        Whether an earlier export at ``path`` is replaced.

    Returns
    -------
    Path of the file. ``X`` holds int32 counts (CSR), ``uns["exported_from"]`` names the content of the store and the results.

    Raises
    ------
    ParameterError
        If ``path`` is no name of such a file, or lies within the store; or for an unknown sample or compression.
    StoreError
        If something is at ``path`` already, there is no room on the disk, or the cells changed meanwhile.
    StoreBusyError
        If another export to ``path`` is running.
    StoreNotFoundError, IncompleteStoreError, ChecksumError
        As :func:`~chemores_dask.store.cells.open_cells`; also if a result is not there.
    IncompleteResultError
        If a result was cut short, or rests on cells that are no longer in the store.
    MissingVariableError
        If samples are named and the cells have no column ``sample``.

    Notes
    -----
    Passes over the counts: 1, over the chosen rows only. Memory holds a few shards and the tables of cells and genes.
    """
    check_one_of(compression, COMPRESSIONS, parameter="compression", caller="export_cells")
    root = existing_root(store)
    check_complete(root)
    target = Path(path)
    _check_target(target, root, replace=replace)
    chosen = choose_results(root, results)
    content = _content(root)
    head = _head(root, samples, chosen, content)
    with _partial(target) as unfinished, _naming_lack_of_room(target):
        write = _write_h5 if target.suffix == ".h5ad" else _write_zarr
        write(unfinished, root, head, chosen, compression)
        if _content(root) != content:
            message = (
                f"Cells must stay while they are exported. Those of {str(root)!r} changed meanwhile; export again."
            )
            raise StoreError(message)
        _move(unfinished, target)
    return target


def _check_target(target: Path, root: Path, *, replace: bool) -> None:
    if target.suffix not in (".h5ad", ".zarr"):
        message = f"The 'path' parameter of export_cells must end in .h5ad or .zarr. Got {str(target)!r}."
        raise ParameterError(message)
    place, store = target.resolve(), root.resolve()
    if place == store or store in place.parents or place in store.parents:
        message = f"An export must lie outside its store. Got {str(target)!r} for the store {str(root)!r}; choose another path."
        raise ParameterError(message)
    if not target.parent.is_dir():
        message = (
            f"The folder of an export must be there. {str(target.parent)!r} is not; make it, or choose another path."
        )
        raise StoreError(message)
    if not os.path.lexists(target):
        return
    if not replace:
        message = (
            f"An export must not overwrite anything unasked. Something is at {str(target)!r}; choose another path, "
            "or ask for it (--overwrite, replace=True)."
        )
        raise StoreError(message)
    attributes = group_attributes(target)
    is_export = attributes is not None and attributes.get("encoding-type") == "anndata"
    if attributes is not None and SCHEMA_ATTRIBUTE in attributes:
        is_export = False
    if target.is_dir() if target.suffix == ".h5ad" else not (target.is_dir() and is_export):
        message = f"An export replaces an AnnData of its own kind only. {str(target)!r} is something else; choose another path."
        raise StoreError(message)


def _content(root: Path) -> str:
    return str((group_attributes(root / CELLS) or {}).get("content"))


def _head(root: Path, samples: Sequence[str] | None, chosen: Sequence[ChosenResult], content: str) -> _Head:
    check_tables(root)
    group = zarr.open_group(root / CELLS, mode="r")
    obs = read_columns(root / CELLS / "obs", None)
    var = pd.DataFrame(read_elem(group["var"]))
    kept = _kept(obs, samples, root)
    check_places(chosen, obs=obs, var=var)
    uns = dict(read_elem(group["uns"]))
    if samples is not None:
        uns.pop(INGEST_REPORT, None)  # it speaks of samples that are left out
    table = anndata.AnnData(obs=obs, var=var, uns=uns)
    for result in chosen:
        table = attach(table, result.small)
    table = table if kept.all() else table[kept].copy()
    origin: dict[str, Any] = {"content": content, "results": {result.step: result.fingerprint for result in chosen}}
    table.uns[ORIGIN] = origin
    return _Head(table, obs.index, kept, read_pointers(root / CELLS / "X", 0, len(obs)))


def _kept(obs: pd.DataFrame, samples: Sequence[str] | None, root: Path) -> Vector:
    if samples is None:
        return np.ones(len(obs), dtype=bool)
    if SAMPLE not in obs:
        message = (
            f"Samples can be chosen where the table of cells has the column 'sample'. That of {str(root)!r} has "
            f"{listed(obs.columns)}; export all cells."
        )
        raise MissingVariableError(message)
    present = [str(name) for name in pd.unique(obs[SAMPLE].dropna())]
    unknown = [name for name in samples if name not in present]
    if unknown:
        message = (
            f"The 'samples' parameter of export_cells must name samples of the store. Unknown: {listed(unknown)}; present: "
            f"{listed(present)}.{close_names(unknown[0], present)}"
        )
        raise ParameterError(message)
    return np.asarray(obs[SAMPLE].isin(list(samples)), dtype=bool)


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """Path of the unfinished file, in a hidden folder that is locked while it is written and removed at the end."""
    folder = target.with_name(f".{target.name}.partial")
    folder.mkdir(exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"One export at a time writes {str(target)!r}. Another one is running; wait for it, or choose another path."
            raise StoreBusyError(message) from error
        try:
            for left in folder.iterdir():  # of an export that was killed
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            yield folder / target.name
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


@contextmanager
def _naming_lack_of_room(target: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:
        # Codecs and HDF5 pass on the words of the system, not always its number.
        if getattr(error, "errno", None) in NO_ROOM or any(os.strerror(number) in str(error) for number in NO_ROOM):
            message = (
                f"The disk must have room for an export. There is none left for {str(target)!r}; free some space, or choose another "
                "path or fewer samples."
            )
            raise StoreError(message) from error
        raise


def _move(unfinished: Path, target: Path) -> None:
    if target.is_dir():
        # A folder cannot be replaced in one move: the old one steps aside into the hidden folder, which is then removed.
        target.rename(unfinished.with_name("replaced"))
    unfinished.replace(target)


def _write_h5(path: Path, root: Path, head: _Head, chosen: Sequence[ChosenResult], compression: str) -> None:
    file = h5py.File(path, "w")
    try:
        file.attrs.update(ENCODING)
        blocks = kept_rows(root / CELLS / "X", head.pointers, head.kept, genes=head.table.n_vars)
        write_h5_matrix(file, blocks, row_nonzeros=head.row_nonzeros, genes=head.table.n_vars, compression=compression)
        _write_rest(file, head, chosen)
    except BaseException:
        # A file that cannot be written to its end cannot be closed either; the first error is the one to tell.
        with suppress(OSError, RuntimeError):
            file.close()
        raise
    file.close()


def _write_zarr(path: Path, root: Path, head: _Head, chosen: Sequence[ChosenResult], compression: str) -> None:
    del compression
    group = zarr.create_group(path, zarr_format=3)
    blocks = kept_rows(root / CELLS / "X", head.pointers, head.kept, genes=head.table.n_vars)
    write_zarr_matrix(
        group.create_group("X"), path / "X", blocks, row_nonzeros=head.row_nonzeros, genes=head.table.n_vars
    )
    _write_rest(group, head, chosen)
    group.attrs.update(ENCODING)
    if not (path / GROUP_FILE).is_file():
        message = f"A written zarr must be on the disk. {str(path)!r} is not; check the disk."
        raise StoreError(message)


def _write_rest(group: Any, head: _Head, chosen: Sequence[ChosenResult]) -> None:
    parts: Mapping[str, Any] = {name: getattr(head.table, name) for name in TABLES}
    with anndata_writing():
        for name, part in parts.items():
            write_elem(group, name, part if isinstance(part, pd.DataFrame) else dict(part))
        write_elem(group, LARGE_PARTS, dict(head.table.obsm))
        for result in chosen:
            for variable in result.large.values():
                write_large(group[LARGE_PARTS], variable, names=head.names, kept=head.kept, write_names=_write_names)


def _write_names(group: Any, key: str, names: pd.Index) -> None:
    write_elem(group, key, names.to_numpy(dtype=object))
