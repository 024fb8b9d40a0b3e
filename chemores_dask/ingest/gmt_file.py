"""Gene sets in GMT: one set per line, name, source, genes, separated by tabs."""

from __future__ import annotations

import re
from pathlib import Path

from chemores_dask.errors import FormatError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.ingest.source import reading
from chemores_dask.ingest.table_text import open_bytes

DIRECTION = re.compile(r"^(?P<name>.+)[_.](?P<direction>UP|DN|DOWN)$", re.IGNORECASE)


def read_gmt(path: str | Path, *, pair_directions: bool = False) -> GeneSets:
    """Read gene sets from a GMT file.

    Parameters
    ----------
    path
        The file, plain or gzipped.
    pair_directions
        Whether two sets whose names differ only in ``_UP`` and ``_DN`` (or ``_DOWN``) become one with genes of both
        directions.

    Returns
    -------
    The sets in the order of the file; repeated genes of a set are kept once, the second column is the source.

    Raises
    ------
    StoreNotFoundError
        If the file is not there.
    FormatError
        If it is cut short, holds no set, or a line has no genes.
    InputError
        If a name occurs twice.
    """
    path = Path(path)
    with reading(path), open_bytes(path) as file:
        lines = file.read().decode("utf-8-sig").splitlines()
    sets = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, *rest = (field.strip() for field in line.split("\t"))
        genes = tuple(gene for gene in rest[1:] if gene)
        if not name or not genes:
            message = (
                f"Every line of {path} must hold a name, a source and genes, separated by tabs. Line {number} has "
                f"{len(genes)} genes: {line[:60]!r}; correct or remove it."
            )
            raise FormatError(message)
        sets.append(GeneSet(name, genes, source=rest[0]))
    if not sets:
        message = f"{path} must hold at least one gene set. Found none; name another file."
        raise FormatError(message)
    return GeneSets(tuple(_paired(sets) if pair_directions else sets))


def _paired(sets: list[GeneSet]) -> list[GeneSet]:
    sides: dict[str, dict[str, GeneSet]] = {}
    for gene_set in sets:
        match = DIRECTION.match(gene_set.name)
        if match:
            side = "up" if match["direction"].upper() == "UP" else "down"
            sides.setdefault(match["name"], {})[side] = gene_set
    result: list[GeneSet] = []
    done: set[str] = set()
    for gene_set in sets:
        match = DIRECTION.match(gene_set.name)
        pair = sides[match["name"]] if match else {}
        if match is None or len(pair) < 2:
            result.append(gene_set)
        elif match["name"] not in done:
            done.add(match["name"])
            result.append(GeneSet(match["name"], pair["up"].up, pair["down"].up, source=pair["up"].source))
    return result
