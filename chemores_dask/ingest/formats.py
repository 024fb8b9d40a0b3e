"""Find out what a path holds, from its name and its content, and open it with the right reader."""

from __future__ import annotations

from pathlib import Path

import h5py

from chemores_dask.checks import check_one_of, listed
from chemores_dask.errors import FormatError, StoreNotFoundError
from chemores_dask.ingest import h5ad_file, loom_file, plate_tables, tenx_h5, tenx_mtx
from chemores_dask.ingest.source import Source, reading

FORMATS = (tenx_mtx.FORMAT, tenx_h5.FORMAT, h5ad_file.FORMAT, loom_file.FORMAT, plate_tables.FORMAT)
HDF5_SUFFIXES = (".h5", ".hdf5", ".h5ad", ".loom")
TABLE_SUFFIXES = (".tsv", ".csv", ".txt", ".tab", ".matrix")
R_SUFFIXES = (".rds", ".rda", ".rdata", ".robj", ".qs", ".h5seurat")
PACKED_SUFFIXES = (".zip", ".tar", ".tgz", ".7z", ".bz2", ".xz")


def recognize(path: str | Path) -> str:
    """Find the format of a file or folder.

    Parameters
    ----------
    path
        A folder, or a file whose suffix (``.gz`` aside) and content tell what it is.

    Returns
    -------
    One of ``10x_mtx``, ``10x_h5``, ``h5ad``, ``loom``, ``plate_table``.

    Raises
    ------
    StoreNotFoundError
        If there is nothing at the path.
    FormatError
        If the format is unknown, or is one that only R can read; the message says how to export it.
    """
    path = Path(path)
    if not path.exists():
        message = (
            f"There must be a file or folder at {path}. Nothing was found; correct the path (a relative one starts "
            "at the sample sheet)."
        )
        raise StoreNotFoundError(message)
    if path.is_dir():
        return _folder_format(path)
    name = path.name.lower().removesuffix(".gz")
    suffix = Path(name).suffix
    if suffix in R_SUFFIXES:
        raise FormatError(_export_from_r(path))
    if suffix == ".mtx":
        return tenx_mtx.FORMAT
    if suffix in HDF5_SUFFIXES:
        return _hdf5_format(path)
    if suffix in TABLE_SUFFIXES:
        return plate_tables.FORMAT
    if suffix in PACKED_SUFFIXES:
        message = f"{path} must be unpacked first. Found an archive; unpack it and name the file or folder inside."
        raise FormatError(message)
    message = (
        f"{path} must be a folder with matrix.mtx, or a file .h5, .h5ad, .loom, .tsv, .csv or .txt (also .gz). "
        f"Found the suffix {suffix!r}; "
        f"rename it, or write one of {listed(FORMATS)} into the column 'format'."
    )
    raise FormatError(message)


def open_source(path: str | Path, *, format_name: str | None = None, counts_in: str | None = None) -> Source:
    """Open counts of any format.

    Parameters
    ----------
    path
        A file or folder.
    format_name
        Forces a format; found from the path by default.
    counts_in
        For ``.h5ad`` and ``.loom``: where the counts lie, if that cannot be found.

    Returns
    -------
    Source with the header read and checked.

    Raises
    ------
    StoreNotFoundError, FormatError, CountsError
        As told by the reader.
    ParameterError
        If ``format_name`` is unknown.
    """
    if format_name is not None:
        check_one_of(format_name, FORMATS, parameter="format", caller="the sample sheet")
    found = recognize(path)
    chosen = format_name or found
    if chosen == h5ad_file.FORMAT:
        return h5ad_file.read_h5ad_counts(path, counts_in=counts_in)
    if chosen == loom_file.FORMAT:
        return loom_file.read_loom(path, counts_in=counts_in)
    if counts_in is not None:
        message = (
            f"'counts_in' is for .h5ad and .loom. Found {counts_in!r} for {path}, which is {chosen}; leave the "
            "entry empty."
        )
        raise FormatError(message)
    readers = {
        tenx_mtx.FORMAT: tenx_mtx.read_tenx_mtx,
        tenx_h5.FORMAT: tenx_h5.read_tenx_h5,
        plate_tables.FORMAT: plate_tables.read_plate_table,
    }
    return readers[chosen](path)


def _folder_format(path: Path) -> str:
    markers = (".zgroup", ".zattrs", "zarr.json")
    if any((path / marker).exists() for marker in markers):
        message = (
            f"{path} must be a file of counts or a folder with matrix.mtx. Found a zarr store; write it with "
            "anndata as .h5ad and name that."
        )
        raise FormatError(message)
    return tenx_mtx.FORMAT


def _hdf5_format(path: Path) -> str:
    with reading(path), h5py.File(path, "r") as file:
        if isinstance(file.get("matrix"), h5py.Group) or tenx_h5.genome_groups(file):
            return tenx_h5.FORMAT
        if isinstance(file.get("matrix"), h5py.Dataset) and "row_attrs" in file:
            return loom_file.FORMAT
        if "obs" in file and "var" in file:
            return h5ad_file.FORMAT
        found = listed(file)
    message = (
        f"{path} must be 10x .h5 (matrix, or a group per genome), .h5ad (X, obs, var) or .loom (matrix, row_attrs). "
        f"Found at its root: {found}; name another file."
    )
    raise FormatError(message)


def _export_from_r(path: Path) -> str:
    name = path.name.split(".")[0]
    return (
        f"{path} must be exported from R first: it is in R's own format, which only R reads. In R: x <- "
        f"readRDS('{path.name}'); "
        f"counts <- SeuratObject::LayerData(x, assay = 'RNA', layer = 'counts'); "
        f"DropletUtils::write10xCounts('{name}.h5', counts, type = 'HDF5', version = '3'); write.csv(x@meta.data, "
        f"'{name}_cells.csv'). "
        f"Then name {name}.h5 here."
    )
