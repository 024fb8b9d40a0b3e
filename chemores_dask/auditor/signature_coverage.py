"""Were the genes of the signatures measured, under the names that they have?"""

from __future__ import annotations

import re

from chemores_dask.auditor.findings import CheckOutcome, Finding, Severity, nothing_to_check, number_of
from chemores_dask.auditor.study_design import SignatureUse, StudyDesign
from chemores_dask.checks import listed

CHECK = "genes of signatures"
MOST = 0.8
"""Share of a signature that should have been measured; below, what is scored is another signature."""

RIBOSOMAL_SHARE = 0.05
"""Share of ribosomal genes from which they can carry a signature."""

RIBOSOMAL = re.compile(r"^(?:RP[SL]\d+(?:[AXL]|AL|Y\d?)?|RPLP[012]|RPSA)$", re.IGNORECASE)
"""Proteins of the ribosome of the cytoplasm; those of mitochondria are not abundant."""

DATE = re.compile(
    r"^(?:\d{1,2}-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)|(?:Mar|Sep|Dec|Oct)-\d{1,2}|\d{4}-\d{2}-\d{2}(?: 00:00:00)?)$",
    re.IGNORECASE,
)
NUMBER = re.compile(r"^\d+(?:\.\d+)?E[+-]?\d+$", re.IGNORECASE)
VERSION = re.compile(r"^(ENS[A-Z]{0,6}[GTPE]\d{6,})\.\d+$")
DOTTED = re.compile(r"^[A-Z][A-Z0-9]*\.[A-Z0-9]+$")


def check_signatures(design: StudyDesign) -> CheckOutcome:
    """Hold the genes of signatures against those measured, and look at their names.

    Parameters
    ----------
    design
        The design.

    Returns
    -------
    Findings ``too_few_genes`` (an error), ``missing_genes`` (a warning below 80 %, else a note), ``ribosomal_genes`` and
    ``mangled_gene_names``. Genes whose names were changed on their way are told once, as that.
    """
    uses = [use for use in design.signatures if use.genes]
    if not uses:
        return nothing_to_check(
            CHECK, "no signatures are used" if not design.signatures else "the genes of the signatures are not known"
        )
    findings = []
    for use in uses:
        mangled = _mangled(use)
        findings += _names(use, mangled)
        findings += _missing(use, set(mangled))
        findings += _ribosomal(use)
    return CheckOutcome(CHECK, listed(_words(use) for use in uses), findings=tuple(findings))


def _words(use: SignatureUse) -> str:
    if use.measured is None:
        return f"{use.name} ({number_of(len(use.genes), 'gene')}; those measured are not known)"
    return f"{use.name} ({sum(gene in use.measured for gene in use.genes)} of {len(use.genes)} measured)"


def _mangled(use: SignatureUse) -> dict[str, str]:
    measured = use.measured or frozenset()
    stems = {_without_version(gene) for gene in measured}
    found = {}
    for gene in use.genes:
        if gene in measured:
            continue
        if DATE.match(gene) or NUMBER.match(gene):
            found[gene] = "a spreadsheet made a date or a number of it"
        elif _without_version(gene) in stems:
            found[gene] = "it differs from a measured gene by the version of its Ensembl identifier only"
        elif DOTTED.match(gene) and gene.replace(".", "-", 1) in measured:
            found[gene] = f"R made a dot of the hyphen of {gene.replace('.', '-', 1)}"
    return found


def _without_version(gene: str) -> str:
    matched = VERSION.match(gene)
    return matched[1] if matched else gene


def _names(use: SignatureUse, mangled: dict[str, str]) -> list[Finding]:
    # Names of the measured genes matter where a signature could have lost a gene by them.
    dates = sorted(gene for gene in use.measured or () if DATE.match(gene))
    said = [f"{gene}: {why}" for gene, why in mangled.items()]
    lost = [gene for gene in use.genes if use.measured is not None and gene not in use.measured]
    if dates and lost:
        said.append(f"among the measured genes {listed(dates)} were symbols before a spreadsheet read them")
    if not said:
        return []
    return [
        Finding(
            "mangled_gene_names",
            Severity.WARNING,
            use.name,
            f"Names of genes were changed on their way to {use.name!r}: {listed(said)}.",
            "Restore the symbols (1-Sep was SEPTIN1, 1-Mar MARCHF1 or MTARC1), strip versions of identifiers, and read tables as text.",
            value=float(len(mangled)),
            limit=0.0,
        )
    ]


def _missing(use: SignatureUse, mangled: set[str]) -> list[Finding]:
    if use.measured is None:
        return []
    missing = [gene for gene in use.genes if gene not in use.measured]
    share = 1 - len(missing) / len(use.genes)
    told = [gene for gene in missing if gene not in mangled]
    if not told and share >= use.minimum_share:
        return []
    few = share < use.minimum_share or share == 0
    severity = Severity.ERROR if few else Severity.WARNING if share < MOST else Severity.NOTE
    return [
        Finding(
            "too_few_genes" if few else "missing_genes",
            severity,
            use.name,
            f"{len(missing)} of {number_of(len(use.genes), 'gene')} of {use.name!r} were not measured: {listed(missing)}.",
            "Check that names and species are the same on both sides; show the score in a cohort that has all genes without them, too."
            if not few
            else f"Do not use the score here: at least {use.minimum_share:.0%} must have been measured.",
            value=share,
            limit=use.minimum_share if few else MOST,
        )
    ]


def _ribosomal(use: SignatureUse) -> list[Finding]:
    genes = [gene for gene in use.genes if RIBOSOMAL.match(gene)]
    if len(genes) < RIBOSOMAL_SHARE * len(use.genes) or not genes:
        return []
    return [
        Finding(
            "ribosomal_genes",
            Severity.WARNING,
            use.name,
            f"{use.name!r} holds {listed(genes)}, {len(genes)} of {len(use.genes)}. Ribosomal genes follow depth, growth and the "
            "quality of a cell, "
            "and as the most abundant genes they can carry a mean.",
            "Show the result without them, too (leave one gene out).",
            value=float(len(genes)),
            limit=0.0,
        )
    ]
