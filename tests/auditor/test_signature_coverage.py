from __future__ import annotations

import pytest

from chemores_dask.auditor.signature_coverage import RIBOSOMAL, check_signatures
from chemores_dask.auditor.study_design import SignatureUse, StudyDesign
from tests.auditor.designs import clean_samples

RESISTANCE = ("KCNMA1", "KIF21A", "MIR181A1HG", "RPS27", "PDPN", "ADIRF", "PRELP", "PHEX", "COL9A2")


def look(genes, measured, **more):
    measured = None if measured is None else frozenset(measured)
    return check_signatures(
        StudyDesign(clean_samples(), signatures=(SignatureUse("s", genes=tuple(genes), measured=measured, **more),))
    ).findings


def test_check_signatures__of_the_nine_genes_on_an_array():
    missing, ribosomal = look(RESISTANCE, set(RESISTANCE) - {"MIR181A1HG"})
    assert (missing.code, int(missing.severity), missing.value) == ("missing_genes", 0, pytest.approx(8 / 9))
    assert "MIR181A1HG" in missing.text
    assert (ribosomal.code, ribosomal.value) == ("ribosomal_genes", 1.0)
    assert "RPS27, 1 of 9" in ribosomal.text


@pytest.mark.parametrize(
    ("kept", "code", "severity"),
    [
        (10, None, None),
        (8, "missing_genes", 0),
        (7, "missing_genes", 1),
        (5, "missing_genes", 1),
        (4, "too_few_genes", 2),
        (0, "too_few_genes", 2),
    ],
)
def test_check_signatures__grades_coverage(kept, code, severity):
    genes = [f"GENE{n}" for n in range(10)]
    found = [(finding.code, int(finding.severity)) for finding in look(genes, genes[:kept])]
    assert found == ([] if code is None else [(code, severity)])


def test_check_signatures__minimum_share_is_that_of_the_use():
    genes = [f"GENE{n}" for n in range(10)]
    assert look(genes, genes[:6], minimum_share=0.7)[0].code == "too_few_genes"
    assert look(genes, [], minimum_share=0.0)[0].code == "too_few_genes"


@pytest.mark.parametrize(
    ("gene", "measured", "why"),
    [
        ("1-Mar", {"MARCHF1"}, "a spreadsheet"),
        ("Sep-02", {"SEPTIN2"}, "a spreadsheet"),
        ("2024-09-02", {"SEPTIN2"}, "a spreadsheet"),
        ("2.31E+13", {"ENO1"}, "a spreadsheet"),
        ("ENSG00000026508.19", {"ENSG00000026508"}, "by the version"),
        ("ENSG00000026508", {"ENSG00000026508.19"}, "by the version"),
        ("HLA.A", {"HLA-A"}, "R made a dot of the hyphen of HLA-A"),
    ],
)
def test_check_signatures__knows_how_names_are_mangled(gene, measured, why):
    (finding,) = look((gene, *"ABCD"), {*measured, *"ABCD"})
    assert finding.code == "mangled_gene_names"
    assert why in finding.text


def test_check_signatures__measured_dates_matter_where_a_gene_is_missing():
    assert look(("SEPTIN2", *"ABCD"), {"2-Sep", *"ABCD"})[0].code == "mangled_gene_names"
    assert look("ABCD", {"2-Sep", *"ABCD"}) == ()


def test_check_signatures__a_ribosomal_gene_among_many_is_no_matter():
    genes = [f"GENE{n}" for n in range(100)]
    assert look([*genes, "RPL3"], [*genes, "RPL3"]) == ()


@pytest.mark.parametrize("gene", ["RPS27", "RPL27A", "RPS4X", "RPS4Y1", "RPLP0", "RPSA", "RPS27L", "RPL36AL", "RPS6"])
def test_ribosomal__knows_ribosomal_genes(gene):
    assert RIBOSOMAL.match(gene)


@pytest.mark.parametrize(
    "gene", ["RPS6KA1", "RPS6KB1", "RPL", "MRPS", "RPN1", "RPSAP58", "RPA1", "CD44", "RPTOR", "MRPL13"]
)
def test_ribosomal__leaves_others_alone(gene):
    assert not RIBOSOMAL.match(gene)


def test_check_signatures__unknown_genes_are_said_to_be():
    design = StudyDesign(clean_samples(), signatures=(SignatureUse("s", genes=("A", "B")),))
    outcome = check_signatures(design)
    assert outcome.findings == ()
    assert "those measured are not known" in outcome.looked_at
    assert not check_signatures(StudyDesign(clean_samples(), signatures=(SignatureUse("s"),))).applicable
