"""The genes of a simulated cohort: real symbols where an analysis looks for them, numbered ones elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chemores_dask.aliases import Seed, Vector
from chemores_dask.errors import ParameterError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.simulation.generators import named_generator

STEMNESS = (
    "CD44", "CD27", "ITGB7", "BCL2", "BCL6", "MCL1", "NOTCH1", "FOSL2", "ETS1", "KLF2", "NFKB1", "FLI1", "KLF6", "FOS", "FOXO1",
    "RELB", "JUN",
)  # fmt: skip
RESISTANCE = ("KCNMA1", "KIF21A", "MIR181A1HG", "RPS27", "PDPN", "ADIRF", "PRELP", "PHEX", "COL9A2")
S_PHASE = (
    "MCM5", "PCNA", "TYMS", "FEN1", "MCM2", "MCM4", "RRM1", "UNG", "GINS2", "MCM6", "CDCA7", "DTL", "PRIM1", "UHRF1", "HELLS",
    "RFC2", "NASP", "GMNN", "WDR76", "SLBP", "CDC6", "CDC45", "RRM2", "EXO1", "RAD51", "TIPIN", "H1-2", "H1-3", "H1-4",
    "H1-5", "H2AC6", "H2AC11", "H2AC12", "H2AC14", "H2BC5", "H2BC9", "H3C2", "H4C3",
)  # fmt: skip
G2M_PHASE = (
    "HMGB2", "CDK1", "NUSAP1", "UBE2C", "BIRC5", "TPX2", "TOP2A", "NDC80", "CKS2", "NUF2", "CKS1B", "MKI67", "TMPO", "CENPF",
    "TACC3", "SMC4", "CCNB2", "AURKB", "BUB1", "KIF11", "ANLN", "AURKA", "CDC20", "CENPE", "HMMR", "KIF23", "NEK2", "PSRC1", "TTK",
    "TUBB4B",
)  # fmt: skip
MITOCHONDRIAL = (
    "MT-ND1", "MT-ND2", "MT-CO1", "MT-CO2", "MT-ATP8", "MT-ATP6", "MT-CO3", "MT-ND3", "MT-ND4L", "MT-ND4", "MT-ND5", "MT-ND6",
    "MT-CYB",
)  # fmt: skip
RIBOSOMAL = (
    *(f"RPL{number}" for number in (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 21, 22, 23, 24, 26, 27, 28, 29, 30, 31,
                                    32, 34, 35, 36, 37, 38, 39, 41)),
    "RPL7A", "RPL10A", "RPL13A", "RPL18A", "RPL23A", "RPL27A", "RPL35A", "RPL36A", "RPL37A", "RPLP0", "RPLP1", "RPLP2", "RPSA",
    *(f"RPS{number}" for number in (2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 28, 29)),
    "RPS3A", "RPS4X", "RPS15A", "RPS27A",
)  # fmt: skip
MARKERS = {
    "malignant": ("DNTT", "CD7", "CD1A", "MYB", "SOX4", "STMN1"),
    "t_cell": ("CD3D", "CD3E", "IL7R", "TRAC", "CCR7", "CD8A"),
    "b_cell": ("CD79A", "MS4A1", "CD19", "CD79B", "BANK1", "IGHM"),
    "monocyte": ("LYZ", "CD14", "FCN1", "S100A8", "S100A9", "CST3"),
    "stroma": ("COL1A1", "COL1A2", "DCN", "LUM", "COL3A1", "SPARC"),
}
GROUPS = ("other", "mitochondrial", "ribosomal", "s_phase", "g2m_phase", "stemness", "resistance")
OTHER, MITOCHONDRIAL_GROUP, RIBOSOMAL_GROUP, S_GROUP, G2M_GROUP, STEMNESS_GROUP, RESISTANCE_GROUP = range(len(GROUPS))
DECOYS = 5
DECOY_SIZE = 17
_DECOY_SOURCE = "drawn at random; tied to nothing"
_PLANTED_SOURCE = "planted in this simulated cohort"


@dataclass(frozen=True)
class GenePanel:
    """The measured genes in the order of the files.

    Attributes
    ----------
    symbols
        Unique symbols.
    gene_ids
        Identifiers in the form of Ensembl's, from a range that Ensembl has not given out.
    groups
        Place in :data:`GROUPS` of each gene.
    """

    symbols: Vector
    gene_ids: Vector
    groups: Vector

    def positions(self, symbols: tuple[str, ...]) -> Vector:
        """Places of some symbols."""
        place = {symbol: position for position, symbol in enumerate(self.symbols)}
        return np.array([place[symbol] for symbol in symbols], dtype=np.int64)

    @property
    def numbered(self) -> Vector:
        """Places of the genes that have no symbol of their own."""
        return np.flatnonzero([symbol.startswith("GENE") for symbol in self.symbols])


def special_genes() -> dict[str, int]:
    """Symbols of all genes with a part to play, and the group of each."""
    groups = {symbol: OTHER for markers in MARKERS.values() for symbol in markers}
    for group, symbols in (
        (MITOCHONDRIAL_GROUP, MITOCHONDRIAL),
        (RIBOSOMAL_GROUP, RIBOSOMAL),
        (S_GROUP, S_PHASE),
        (G2M_GROUP, G2M_PHASE),
        (STEMNESS_GROUP, STEMNESS),
        (RESISTANCE_GROUP, RESISTANCE),
    ):
        groups.update(dict.fromkeys(symbols, group))
    return groups


def gene_panel(genes: int, *, seed: Seed) -> GenePanel:
    """Lay out the genes, those with a part to play spread among the others.

    Parameters
    ----------
    genes
        How many.
    seed
        Decides the order.

    Returns
    -------
    The panel.

    Raises
    ------
    ParameterError
        If ``genes`` does not leave room for the decoy gene sets beside the genes with a part to play.
    """
    special = special_genes()
    least = len(special) + DECOYS * DECOY_SIZE
    if genes < least:
        message = (
            f"A simulated cohort needs at least {least} genes: {len(special)} with a part to play, and {DECOYS * DECOY_SIZE} for "
            f"gene sets that are tied to nothing. Got {genes}."
        )
        raise ParameterError(message)
    numbered = [f"GENE{number:05d}" for number in range(1, genes - len(special) + 1)]
    names = np.array([*special, *numbered], dtype=object)
    groups = np.array([*special.values(), *(OTHER for _ in numbered)], dtype=np.int64)
    order = named_generator(seed, "gene order").permutation(genes)
    identifiers = np.array([f"ENSG9{number:010d}" for number in range(1, genes + 1)], dtype=object)
    return GenePanel(names[order], identifiers, groups[order])


def planted_gene_sets(panel: GenePanel, *, seed: Seed) -> GeneSets:
    """The modules of the cohort, and some sets that are tied to nothing.

    Parameters
    ----------
    panel
        Genes to draw from.
    seed
        Decides the random sets.
    """
    planted = {"stemness": STEMNESS, "resistance": RESISTANCE, "s_phase": S_PHASE, "g2m_phase": G2M_PHASE}
    drawn = named_generator(seed, "decoys").choice(panel.numbered, size=(DECOYS, DECOY_SIZE), replace=False)
    decoys = [
        GeneSet(f"decoy_{number}", tuple(panel.symbols[np.sort(places)]), source=_DECOY_SOURCE)
        for number, places in enumerate(drawn, start=1)
    ]
    return GeneSets((*(GeneSet(name, genes, source=_PLANTED_SOURCE) for name, genes in planted.items()), *decoys))
