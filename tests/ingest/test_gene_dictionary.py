"""Tests of bringing genes to one dictionary."""

from __future__ import annotations

from pathlib import Path

import anndata.utils
import numpy as np
import pandas as pd
import pytest

from chemores_dask.errors import GeneMismatchError, MissingVariableError
from chemores_dask.ingest.gene_dictionary import build_gene_dictionary, read_aliases, unique_names
from chemores_dask.ingest.source import gene_table


def build(*tables: pd.DataFrame, **options: object):
    return build_gene_dictionary(tables, names=[f"file {number}" for number in range(len(tables))], **options)


def ids(*numbers: int, version: str = "") -> list[str]:
    return [f"ENSG{number:011d}{version}" for number in numbers]


def test_build_gene_dictionary__matches_identifiers_without_versions() -> None:
    first = gene_table(identifiers=ids(1, 2, version=".5"), symbols=["A", "B"])
    second = gene_table(identifiers=ids(2, 3), symbols=["OLD-B", "C"])
    found = build(first, second)
    assert found.genes.index.tolist() == ["A", "B", "C"]
    assert found.genes["gene_id"].tolist() == ids(1, 2, 3)
    assert [list(position) for position in found.positions] == [[0, 1], [1, 2]]
    assert (found.report.matched_by, found.report.versions_stripped, found.report.in_every_file) == ("gene_id", 2, 1)


def test_build_gene_dictionary__fills_symbols_from_other_files() -> None:
    found = build(gene_table(identifiers=ids(1, 2)), gene_table(identifiers=ids(2, 4), symbols=["B", "D"]))
    assert found.genes["gene_symbol"].tolist() == [ids(1)[0], "B", "D"]


def test_build_gene_dictionary__matches_symbols_where_a_file_has_no_identifiers() -> None:
    first = gene_table(identifiers=ids(1, 2, 3), symbols=["A", "B", "B"])
    second = gene_table(symbols=["B", "A", "Z"])
    found = build(first, second)
    assert found.report.matched_by == "gene_symbol"
    assert found.genes.index.tolist() == ["A", "B", "B-1", "Z"]
    assert [list(position) for position in found.positions] == [[0, 1, 2], [1, 0, 3]]
    assert found.report.made_unique == ("B-1",)


def test_build_gene_dictionary__translates_identifiers_through_another_file() -> None:
    both = gene_table(identifiers=ids(1, 2), symbols=["A", "B"])
    found = build(gene_table(identifiers=ids(2, 9)), both, gene_table(symbols=["A", "B"]))
    assert found.genes.index.tolist() == ["B", ids(9)[0], "A"]
    assert list(found.positions[2]) == [2, 0]


def test_build_gene_dictionary__adds_features_of_one_identifier() -> None:
    found = build(
        gene_table(identifiers=[*ids(1, version=".1"), *ids(1, version=".2"), *ids(2)], symbols=["A", "A", "B"])
    )
    assert list(found.positions[0]) == [0, 0, 1]
    assert found.report.merged == 1


def test_build_gene_dictionary__keeps_both_copies_of_the_pseudoautosomal_region() -> None:
    found = build(
        gene_table(identifiers=["ENSG00000182378.14", "ENSG00000182378.14_PAR_Y"], symbols=["PLCXD1", "PLCXD1"])
    )
    assert found.genes.index.tolist() == ["PLCXD1", "PLCXD1-1"]


def test_build_gene_dictionary__takes_the_intersection() -> None:
    found = build(gene_table(symbols=["A", "B", "C"]), gene_table(symbols=["C", "B", "D"]), combine="intersection")
    assert found.genes.index.tolist() == ["B", "C"]
    assert [list(position) for position in found.positions] == [[-1, 0, 1], [1, 0, -1]]
    assert found.report.dropped == 2


def test_build_gene_dictionary__renames_aliases_that_are_clear() -> None:
    aliases = {
        "SEPT2": ("SEPTIN2",),
        "BOTH": ("X", "Y"),
        "OLD": ("NEW",),
        "NEW": ("NEWER",),
        "P1": ("P",),
        "P2": ("P",),
    }
    found = build(gene_table(symbols=["SEPT2", "BOTH", "OLD", "NEW", "P1", "P2"]), aliases=aliases)
    assert found.genes.index.tolist() == ["SEPTIN2", "BOTH", "OLD", "NEW", "P1", "P2"]
    assert dict(found.report.renamed) == {"SEPT2": "SEPTIN2"}
    assert found.report.ambiguous_aliases == 1


def test_build_gene_dictionary__shows_symbols_turned_into_dates() -> None:
    assert build(gene_table(symbols=["A", "1-Mar", "Sep-2"])).report.looks_like_dates == ("1-Mar", "Sep-2")


def test_build_gene_dictionary__refuses_files_that_share_nothing() -> None:
    first, second = gene_table(symbols=["CD44", "KLF2"]), gene_table(symbols=["Cd44", "Klf2"])
    with pytest.raises(GeneMismatchError, match=r"file 0 match none.*different species"):
        build(first, second)
    with pytest.raises(GeneMismatchError, match="file 2 match none"):
        build(first, first.copy(), second)


def test_build_gene_dictionary__is_the_same_for_one_table_many_times() -> None:
    table = gene_table(symbols=["A", "B"])
    positions = build(table, table, table).positions
    assert all(position is positions[0] for position in positions)
    assert list(positions[0]) == [0, 1]


@pytest.mark.filterwarnings("ignore:Suffix used:UserWarning")
def test_unique_names__equals_scanpy() -> None:
    generator = np.random.default_rng(4)
    for _ in range(30):
        names = list(generator.choice(["A", "B", "A-1", "B-1", "A-2", "C"], size=12))
        assert unique_names(names) == list(anndata.utils.make_index_unique(pd.Index(names)))


def test_read_aliases__reads_a_real_table(reference_folder: Path, tmp_path: Path) -> None:
    aliases = read_aliases(reference_folder / "data" / "genesets" / "debian" / "org_hs_alias_symbol.csv.gz")
    assert aliases["ABG"] == ("A1BG",)
    assert aliases["A1B"] == ("A1BG", "SNTB1")
    (tmp_path / "a.csv").write_text("old,new\nA,B\n")
    with pytest.raises(MissingVariableError, match="alias, symbol"):
        read_aliases(tmp_path / "a.csv")


def test_build_gene_dictionary__refuses_a_match_by_chance() -> None:
    human = [f"GENE{number}" for number in range(1000)]
    mouse = [f"Gene{number}" for number in range(991)]
    first = gene_table(symbols=human)
    with pytest.raises(GeneMismatchError, match=r"match 9 of the others.*different species"):
        build(first, gene_table(symbols=[*mouse, *human[:9]]))
    assert build(first, gene_table(symbols=["GENE7", "OTHER"])).report.in_every_file == 1
