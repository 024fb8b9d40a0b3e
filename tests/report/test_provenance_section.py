"""How numbers came about, and the bill."""

from __future__ import annotations

from dataclasses import replace

from chemores_dask.report.provenance_section import bill_table, methods, provenance, warnings_box
from tests.report.example_run import example_record
from tests.report.page_reading import read_page


def test_methods__hold_parameters_fingerprints_seeds_and_warnings():
    page = read_page(methods(example_record()))
    for expected in (
        "seed = 7",
        "method = seurat",
        "000000000003",
        "cells = 0123456789ab",
        "2 of 17 genes",
        "descriptive",
    ):
        assert expected in page.text


def test_methods__cut_endless_parameters_and_say_so():
    step = replace(example_record().steps[0], parameters={"genes": ["GENE"] * 5000})
    page = read_page(methods(replace(example_record(), steps=(step,))))
    assert "in full in run.json" in page.text
    assert len(page.text) < 3000


def test_provenance__holds_checksums_and_versions():
    page = read_page(provenance(example_record()))
    for expected in ("ba9876543210", "patients/bulk", "numpy", "2.1.0", "threads, 2 cores", "2025-01-02 03:04 UTC"):
        assert expected in page.text
    assert (
        read_page(provenance(replace(example_record(), inputs={}, versions={}))).text.count("None were recorded.") == 2
    )


def test_bill_table__has_every_step_and_the_total():
    page = read_page(bill_table(example_record()))
    assert page.texts.count("reused") == 1
    assert "Whole run" in page.texts
    assert page.texts[-5:] == ["3.2 GB", "420", "3 min 20 s", "2.4 GB", "2.1 GB"]
    assert page.tags.count("tr") == 1 + len(example_record().steps) + 1


def test_warnings_box__is_there_only_when_needed():
    assert "One warning was given" in read_page(warnings_box(example_record())).text
    assert warnings_box(replace(example_record(), steps=())) == ""
