"""Which features of a file become genes of the store: gene expression only, and one species."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from chemores_dask.checks import listed
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.ingest.source import GENE_EXPRESSION

ASSEMBLY_PREFIX = r"^((?:GRC[a-z]{1,2}|hg|mm|rn|dm|ce|danRer|sacCer|Mmul_|T2T)\d+[A-Za-z0-9.]*?)_+(?=.)"


@dataclass(frozen=True)
class FeatureSelection:
    """The genes of one file that are kept.

    Attributes
    ----------
    genes
        The kept genes, prefixes of the species stripped; columns as in a header, plus ``feature``: their number in
        the file.
    other_species
        For each feature of the file, whether it is a gene of another species.
    kept
        For each feature of the file, whether it is kept.
    set_aside
        Number of features that are not gene expression, by type.
    genomes
        The genomes found among the genes.
    """

    genes: pd.DataFrame
    other_species: np.ndarray
    kept: np.ndarray
    set_aside: dict[str, int]
    genomes: tuple[str, ...]


def select_features(features: pd.DataFrame, *, species: str | None, where: str) -> FeatureSelection:
    """Choose the features that become genes.

    Genomes are told by the header or by prefixes of the names (``GRCh38_``, ``mm10___``), which are stripped.

    Parameters
    ----------
    features
        All features of a header.
    species
        Genome to keep where there are several; the beginning of its name is enough.
    where
        For the message.

    Returns
    -------
    The selection.

    Raises
    ------
    InputError
        If no feature is gene expression.
    ParameterError
        If there are several genomes and ``species`` names none or not exactly one of them.
    """
    expression = (features["feature_type"] == GENE_EXPRESSION).to_numpy()
    types = features["feature_type"][~expression].value_counts()
    set_aside = {str(name): int(count) for name, count in types.sort_index().items()}
    if not expression.any():
        message = (
            f"{where} must have features of type {GENE_EXPRESSION!r}. Found: {listed(set_aside)}; pass the file of "
            "the gene expression library."
        )
        raise InputError(message)
    genome = _genomes(features)
    names = tuple(sorted(set(genome[expression]) - {""}))
    chosen = _chosen(names, species, where)
    foreign = expression & (genome != "") & (genome != (chosen or ""))
    kept = expression & ~foreign
    genes = features[kept].copy()
    own = genome[kept]
    for name in set(own) - {""}:
        pattern = re.compile(rf"^{re.escape(name)}_+(?=.)")
        for column in ("gene_id", "gene_symbol"):
            genes[column] = [pattern.sub("", text) for text in genes[column]]
    genes.insert(0, "feature", np.flatnonzero(kept))
    return FeatureSelection(genes.reset_index(drop=True), foreign, kept, set_aside, names)


def _genomes(features: pd.DataFrame) -> np.ndarray:
    stated = features["genome"].to_numpy().astype(object)
    if (stated != "").any():
        return stated
    names = features["gene_symbol"].where(features["gene_symbol"] != "", features["gene_id"])
    found = names.str.extract(ASSEMBLY_PREFIX, expand=False)
    if found.notna().mean() < 0.5:
        return stated
    return found.fillna("").to_numpy().astype(object)


def _chosen(names: tuple[str, ...], species: str | None, where: str) -> str | None:
    if not names:
        return None
    if species is None:
        if len(names) > 1:
            message = (
                f"A reference of several species needs a chosen one. Found in {where}: {listed(names)}; pass "
                f"species={names[0]!r} (or another of these)."
            )
            raise ParameterError(message)
        return names[0]
    matching = [name for name in names if name == species] or [name for name in names if name.startswith(species)]
    if len(matching) != 1:
        message = (
            f"The species {species!r} must name one genome of {where}. Present: {listed(names)}; choose one of these."
        )
        raise ParameterError(message)
    return matching[0]
