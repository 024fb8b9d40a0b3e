"""Tests of choosing features and species."""

from __future__ import annotations

import pytest

from chemores_dask.errors import InputError, ParameterError
from chemores_dask.ingest.feature_selection import select_features
from chemores_dask.ingest.source import gene_table


def barnyard(*, stated: bool):
    names = ["GRCh38_CD44", "GRCh38_HLA-A", "mm10___Cd44", "mm10___Xkr4", "ERCC-1"]
    identifiers = [
        "GRCh38_ENSG00000026508",
        "GRCh38_ENSG00000206503",
        "mm10___ENSMUSG00000005087",
        "mm10___ENSMUSG00000051951",
        "ERCC-1",
    ]
    genomes = ["GRCh38", "GRCh38", "mm10", "mm10", ""] if stated else None
    return gene_table(identifiers=identifiers, symbols=names, genomes=genomes)


@pytest.mark.parametrize("stated", [True, False])
def test_select_features__keeps_one_species_and_strips_its_prefix(stated: bool) -> None:
    human = select_features(barnyard(stated=stated), species="GRCh38", where="a file")
    assert human.genes["gene_symbol"].tolist() == ["CD44", "HLA-A", "ERCC-1"]
    assert human.genes["gene_id"].tolist() == ["ENSG00000026508", "ENSG00000206503", "ERCC-1"]
    assert human.other_species.tolist() == [False, False, True, True, False]
    mouse = select_features(barnyard(stated=stated), species="mm10", where="a file")
    assert mouse.genes["gene_symbol"].tolist() == ["Cd44", "Xkr4", "ERCC-1"]
    assert mouse.genes["feature"].tolist() == [2, 3, 4]


def test_select_features__refuses_several_species_without_a_choice() -> None:
    with pytest.raises(ParameterError, match=r"needs a chosen one.*GRCh38, mm10"):
        select_features(barnyard(stated=True), species=None, where="a file")
    with pytest.raises(ParameterError, match="Present: GRCh38, mm10"):
        select_features(barnyard(stated=True), species="rn6", where="a file")


def test_select_features__sets_other_types_aside() -> None:
    table = gene_table(
        symbols=["A", "CD3", "CD4"], feature_types=["Gene Expression", "Antibody Capture", "Antibody Capture"]
    )
    selection = select_features(table, species=None, where="a file")
    assert selection.genes["gene_symbol"].tolist() == ["A"]
    assert selection.set_aside == {"Antibody Capture": 2}
    with pytest.raises(InputError, match="Found: Antibody Capture"):
        select_features(table[1:], species=None, where="a file")


def test_select_features__leaves_ordinary_names_alone() -> None:
    names = ["HLA-A", "mm_like", "hgX_1"]
    assert (
        select_features(gene_table(symbols=names), species="GRCh38", where="a file").genes["gene_symbol"].tolist()
        == names
    )
