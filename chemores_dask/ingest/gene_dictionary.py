"""One dictionary of genes for all samples, fixed before the first count is written.

Genes are matched by identifier where every file has them (Ensembl versions stripped), otherwise by symbol. The same
identifier twice in a file is one gene, and its counts are added. The same symbol with different identifiers is
different genes: the first keeps the symbol, the next become ``SYMBOL-1``, ``SYMBOL-2``, as in scanpy. Genes keep the
order of the first file; later files add theirs at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from chemores_dask.checks import check_columns, check_one_of, listed
from chemores_dask.errors import GeneMismatchError
from chemores_dask.ingest.source import reading
from chemores_dask.ingest.table_text import read_texts

ENSEMBL_VERSION = r"^(ENS[A-Z]{0,6}[GTPE]\d{6,})\.\d+"
DATE_LIKE = r"^(?:\d{1,2}-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)|(?:Mar|Sep|Dec|Oct)-\d{1,2})$"
SHOWN = 50
COMBINATIONS = ("union", "intersection")
LEAST_SHARED = 0.01
"""Least share of its genes, or of those of the largest other file where these are fewer, that a file has in common with others."""


@dataclass(frozen=True)
class GeneReport:
    """What became of the genes.

    Attributes
    ----------
    matched_by
        ``"gene_id"`` or ``"gene_symbol"``.
    genes
        Number of genes in the dictionary.
    in_every_file
        How many of them every file has.
    versions_stripped
        Identifiers whose version was stripped.
    renamed
        Symbols changed by the alias table, old to new (the first fifty).
    renamed_count
        How many symbols that were.
    ambiguous_aliases
        Aliases of several symbols, which were left alone.
    made_unique
        Names given to genes that share a symbol (the first fifty).
    made_unique_count
        How many genes that were.
    merged
        Features added to another with the same identifier.
    dropped
        Genes left out, because not every file has them.
    looks_like_dates
        Symbols that a spreadsheet turned into dates.
    """

    matched_by: str
    genes: int
    in_every_file: int
    versions_stripped: int
    renamed: Mapping[str, str] = field(default_factory=dict)
    renamed_count: int = 0
    ambiguous_aliases: int = 0
    made_unique: tuple[str, ...] = ()
    made_unique_count: int = 0
    merged: int = 0
    dropped: int = 0
    looks_like_dates: tuple[str, ...] = ()


@dataclass(frozen=True)
class GeneDictionary:
    """The genes of a store, and where each file's genes go.

    Attributes
    ----------
    genes
        Indexed by unique symbol; columns ``gene_id`` and ``gene_symbol``.
    positions
        For each file, the place of each of its genes in the dictionary; -1 where left out.
    report
        What became of the genes.
    """

    genes: pd.DataFrame
    positions: tuple[np.ndarray, ...]
    report: GeneReport


def read_aliases(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Read a table of aliases.

    Parameters
    ----------
    path
        CSV or TSV with the columns ``alias`` and ``symbol`` (any case), plain or gzipped.

    Returns
    -------
    Symbols by alias; usually one, several where the alias is ambiguous.

    Raises
    ------
    MissingVariableError
        If a column is absent.
    """
    path = Path(path)
    with reading(path):
        table = read_texts(path)
    table.columns = [name.lower() for name in table.columns]
    check_columns(table, ("alias", "symbol"), what=str(path), caller="ingest")
    pairs = table[["alias", "symbol"]].drop_duplicates()
    return {str(alias): tuple(group) for alias, group in pairs.groupby("alias", sort=False)["symbol"]}


def build_gene_dictionary(
    tables: Sequence[pd.DataFrame],
    *,
    names: Sequence[str],
    combine: str = "union",
    aliases: Mapping[str, Sequence[str]] | None = None,
) -> GeneDictionary:
    """Bring the genes of all files to one dictionary.

    Parameters
    ----------
    tables
        One table of genes per file, columns ``gene_id`` and ``gene_symbol``.
    names
        Names of the files, for messages.
    combine
        ``"union"`` keeps every gene of any file, ``"intersection"`` those of all files.
    aliases
        Approved symbols by alias. An alias is replaced where it has one symbol, is not itself a symbol, and its
        symbol is not in the same file.

    Returns
    -------
    The dictionary.

    Raises
    ------
    GeneMismatchError
        If a file has no gene in common with others, or so few (below 1 %) that they match by chance, or no gene is left.
    """
    check_one_of(combine, COMBINATIONS, parameter="combine", caller="build_gene_dictionary")
    renames: dict[str, str] = {}
    cleaned = {key: _cleaned(table, aliases or {}, renames) for key, table in {id(one): one for one in tables}.items()}
    by_identifier = all((table["gene_id"] != "").mean() > 0.5 for table in cleaned.values())
    keys = _keys(cleaned, by_identifier=by_identifier)
    _check_overlap([keys[id(table)] for table in tables], names, by_identifier=by_identifier)
    together = pd.Index(pd.unique(np.concatenate(list(keys.values()))), dtype=object)
    chosen, shared = _combined(together, keys, combine)
    genes, unique = _described(chosen, keys, cleaned)
    positions = {key: chosen.get_indexer(own).astype(np.int32) for key, own in keys.items()}
    report = GeneReport(
        matched_by="gene_id" if by_identifier else "gene_symbol",
        genes=len(chosen),
        in_every_file=shared,
        versions_stripped=sum(table.attrs["versions"] for table in cleaned.values()),
        renamed=dict(list(renames.items())[:SHOWN]),
        renamed_count=len(renames),
        ambiguous_aliases=sum(len(targets) > 1 for targets in (aliases or {}).values()),
        made_unique=tuple(unique[:SHOWN]),
        made_unique_count=len(unique),
        merged=sum(len(own) - len(set(own)) for own in keys.values()),
        dropped=len(together) - len(chosen),
        looks_like_dates=tuple(genes.index[genes["gene_symbol"].str.match(DATE_LIKE)][:SHOWN]),
    )
    return GeneDictionary(genes, tuple(positions[id(table)] for table in tables), report)


def _combined(together: pd.Index, keys: Mapping[int, np.ndarray], combine: str) -> tuple[pd.Index, int]:
    """Choose the union or the intersection; also tells how many genes every file has."""
    shared = np.ones(len(together), dtype=bool)
    for own in keys.values():
        shared &= together.isin(own)
    chosen = together if combine == "union" else together[shared]
    if len(chosen) == 0:
        message = (
            f"The files must share genes for combine='intersection'. No gene is in all {len(keys)} tables of genes; "
            "use 'union' or leave out a file."
        )
        raise GeneMismatchError(message)
    return chosen, int(shared.sum())


def match_gene_dictionary(
    store_genes: pd.DataFrame,
    tables: Sequence[pd.DataFrame],
    *,
    names: Sequence[str],
    combine: str = "union",
    aliases: Mapping[str, Sequence[str]] | None = None,
) -> GeneDictionary:
    """Bring the genes of files to those of a store, which stay as they are.

    Parameters
    ----------
    store_genes
        Table of the genes of the store, unique symbols as index.
    tables
        One table of genes per file, columns ``gene_id`` and ``gene_symbol``.
    names
        Names of the files, for messages.
    combine
        ``"union"`` refuses genes that the store lacks, ``"intersection"`` leaves them out.
    aliases
        As in :func:`build_gene_dictionary`.

    Returns
    -------
    The genes of the store, and where each file's genes go. Genes of the store that a file lacks have no counts in its cells.

    Raises
    ------
    GeneMismatchError
        If a file has no or hardly a gene of the store, or genes that the store lacks which must not be left out.
    """
    known = _store_table(store_genes)
    together = build_gene_dictionary([known, *tables], names=["the store", *names], combine="union", aliases=aliases)
    size = len(known)
    if not np.array_equal(together.positions[0], np.arange(size)):
        message = (
            "Genes of a store must be told apart by what the new files name them by. They are not: several genes of the store have one "
            f"{together.report.matched_by}; ingest all samples into a new store."
        )
        raise GeneMismatchError(message)
    foreign = together.genes.index[size:]
    if len(foreign) and combine == "union":
        message = (
            f"Samples that are appended bring no new genes. The store lacks {len(foreign):,} of theirs: {listed(foreign)}; leave them out "
            "with --genes intersection (IngestOptions(genes='intersection')), or ingest all samples into a new store."
        )
        raise GeneMismatchError(message)
    positions = tuple(np.where(each < size, each, -1) for each in together.positions[1:])
    report = replace(together.report, genes=size, dropped=len(foreign))
    return GeneDictionary(store_genes, positions, report)


def _store_table(genes: pd.DataFrame) -> pd.DataFrame:
    index = pd.Series(genes.index.astype(str), dtype=object)
    columns = {}
    for name, absent in (("gene_id", ""), ("gene_symbol", None)):
        given = (
            genes[name].astype(object).reset_index(drop=True)
            if name in genes
            else pd.Series([None] * len(genes), dtype=object)
        )
        columns[name] = given.where(given.notna(), index if absent is None else absent).astype(str).astype(object)
    return pd.DataFrame(columns)


def without_version(identifiers: pd.Series) -> pd.Series:
    """Strip the versions of Ensembl identifiers; other texts stay as they are.

    Examples
    --------
    >>> without_version(pd.Series(["ENSG00000206503.13", "HLA-A.1"])).tolist()
    ['ENSG00000206503', 'HLA-A.1']
    """
    return identifiers.str.replace(ENSEMBL_VERSION, r"\1", regex=True)


def unique_names(names: Sequence[str]) -> list[str]:
    """Make names unique: the first keeps its name, the next get ``-1``, ``-2``, … skipping names that exist.

    Parameters
    ----------
    names
        Names, maybe repeated.

    Returns
    -------
    Unique names in the same order.

    Examples
    --------
    >>> unique_names(["A", "B", "A", "A-1", "A"])
    ['A', 'B', 'A-2', 'A-1', 'A-3']
    """
    taken = set(names)
    met: dict[str, int] = {}
    result = []
    for name in names:
        if name not in met:
            met[name] = 0
            result.append(name)
            continue
        number = met[name] + 1
        while f"{name}-{number}" in taken:
            number += 1
        met[name] = number
        taken.add(f"{name}-{number}")
        result.append(f"{name}-{number}")
    return result


def _cleaned(table: pd.DataFrame, aliases: Mapping[str, Sequence[str]], renames: dict[str, str]) -> pd.DataFrame:
    identifiers = table["gene_id"].astype(object)
    stripped = without_version(identifiers)
    symbols = table["gene_symbol"].astype(object).str.strip()
    present = set(symbols)
    approved = {symbol for targets in aliases.values() for symbol in targets} if aliases else set()
    changed = {}
    for symbol in present:
        targets = aliases.get(symbol, ())
        if len(targets) == 1 and symbol not in approved and targets[0] not in present:
            changed[symbol] = targets[0]
    # Two aliases of one symbol in a file may be two genes: neither is renamed.
    goals = Counter(changed.values())
    changed = {old: new for old, new in changed.items() if goals[new] == 1}
    renames.update({symbol: changed[symbol] for symbol in symbols if symbol in changed})
    result = pd.DataFrame({"gene_id": stripped, "gene_symbol": symbols.replace(changed) if changed else symbols})
    result.attrs["versions"] = int((stripped != identifiers).sum())
    return result


def _keys(tables: Mapping[int, pd.DataFrame], *, by_identifier: bool) -> dict[int, np.ndarray]:
    if by_identifier:
        return {
            key: table["gene_id"].where(table["gene_id"] != "", table["gene_symbol"]).to_numpy(dtype=object)
            for key, table in tables.items()
        }
    learned: dict[str, str] = {}
    for table in tables.values():
        both = table[(table["gene_id"] != "") & (table["gene_symbol"] != "")]
        for identifier, symbol in zip(both["gene_id"], both["gene_symbol"], strict=True):
            learned.setdefault(identifier, symbol)
    keys = {}
    for key, table in tables.items():
        known = table["gene_id"].map(learned)
        symbols = table["gene_symbol"].where(table["gene_symbol"] != "", known).fillna(table["gene_id"])
        # The k-th gene of a symbol in one file is matched with the k-th in another, unless both have one identifier.
        distinct = pd.DataFrame({"symbol": symbols, "gene_id": table["gene_id"]})
        anonymous = distinct["gene_id"] == ""
        distinct.loc[anonymous, "gene_id"] = [f"\x1f{row}" for row in np.flatnonzero(anonymous)]
        first = distinct.drop_duplicates()
        number = first.groupby("symbol").cumcount().rename("number")
        numbers = distinct.merge(first.assign(number=number), on=["symbol", "gene_id"], how="left")["number"].to_numpy()
        keys[key] = np.array(
            [symbol if count == 0 else f"{symbol}\x1f{count}" for symbol, count in zip(symbols, numbers, strict=True)],
            dtype=object,
        )
    return keys


def _check_overlap(keys: Sequence[np.ndarray], names: Sequence[str], *, by_identifier: bool) -> None:
    if len(keys) < 2:
        return
    distinct = {id(own): own for own in keys}
    if len(distinct) < 2:
        return
    unique = {key: pd.Index(pd.unique(own)) for key, own in distinct.items()}
    counts = pd.Series(np.concatenate(list(unique.values()))).value_counts()
    repeated = counts.index[counts > 1]
    for own, name in zip(keys, names, strict=True):
        found = int(unique[id(own)].isin(repeated).sum())
        fewer = min(len(unique[id(own)]), max(len(other) for key, other in unique.items() if key != id(own)))
        if found >= max(1, LEAST_SHARED * fewer):
            continue
        others = next(other for other in distinct.values() if other is not own)
        hint = (
            " They match without regard to case: the samples may come from different species."
            if _upper(own) & _upper(others)
            else ""
        )
        kind = "identifiers" if by_identifier else "symbols"
        message = (
            f"Samples must share genes. The {kind} of {name} match {found or 'none'} of the others: {listed(own[:4])} against "
            f"{listed(others[:4])}.{hint} "
            "Bring all samples to the same kind of names (Ensembl identifiers or symbols), or ingest them into "
            "separate stores."
        )
        raise GeneMismatchError(message)


def _upper(names: np.ndarray) -> set[str]:
    return {str(name).upper() for name in names}


def _described(
    chosen: pd.Index, keys: Mapping[int, np.ndarray], tables: Mapping[int, pd.DataFrame]
) -> tuple[pd.DataFrame, list[str]]:
    identifiers = np.full(len(chosen), "", dtype=object)
    symbols = np.full(len(chosen), "", dtype=object)
    for key, own in keys.items():
        place = chosen.get_indexer(own)
        table = tables[key]
        for filled, column in ((identifiers, "gene_id"), (symbols, "gene_symbol")):
            values = table[column].to_numpy(dtype=object)
            useful = np.flatnonzero((place >= 0) & (values != ""))[::-1]
            open_places = filled[place[useful]] == ""
            filled[place[useful[open_places]]] = values[useful[open_places]]
    plain = np.array([str(key).split("\x1f", maxsplit=1)[0] for key in chosen], dtype=object)
    symbols = np.where(symbols == "", plain, symbols)
    index = unique_names(list(symbols))
    changed = [new for new, old in zip(index, symbols, strict=True) if new != old]
    return pd.DataFrame({"gene_id": identifiers, "gene_symbol": symbols}, index=pd.Index(index, dtype=object)), changed
