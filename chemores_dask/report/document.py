"""The page: put together, checked before anything is written, and written at once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr

from chemores_dask.aliases import StorePath
from chemores_dask.checks import listed
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.figures.association_matrix import association_matrix
from chemores_dask.figures.claims_plot import claims_plot
from chemores_dask.figures.gallery import check_figure, draw_figure
from chemores_dask.figures.number_text import count_text
from chemores_dask.report.audit_section import TITLE, audit_dataset, audit_section
from chemores_dask.report.certificates import certificate_of
from chemores_dask.report.markup import Markup, element, joined, paragraphs
from chemores_dask.report.narrative import (
    claim_texts,
    claims_sentence,
    seconds_text,
    sizes_sentence,
    step_sentence,
    time_text,
)
from chemores_dask.report.page_style import STYLE
from chemores_dask.report.pictures import image_element
from chemores_dask.report.provenance_section import bill_table, methods, provenance, warnings_box
from chemores_dask.report.tables import read_request, result_tables, table_element
from chemores_dask.workflow.record import ClaimOutcome, RunRecord, Section

Part = tuple[str, Markup]
"""Title and content."""


def write_report(record: RunRecord, results: Mapping[str, xr.Dataset], *, path: StorePath) -> Path:
    """Write a run as one HTML page that needs nothing else: no scripts, no other files, no network.

    Parameters
    ----------
    record
        What was done.
    results
        Results by the name of their step; may be lazy.
    path
        The file. It is replaced in one go, so that there is never half a page; its folder is made where absent.

    Returns
    -------
    The path.

    Raises
    ------
    ParameterError
        If a section names a figure, a step, an option or a label that does not exist; before anything is written.
    MissingVariableError
        If a result lacks what is to be shown; before anything is written.

    Notes
    -----
    Passes over the counts: 0. Figures of cells read variables of results over all cells.
    """
    check_sections(record.sections, analyses={step.name: step.analysis for step in record.steps})
    page = _page(record, _parts(record, results))
    return _write_at_once(page, Path(path))


def check_sections(sections: Sequence[Section], *, analyses: Mapping[str, str]) -> None:
    """Hold the sections of a report against the gallery and the steps, without any result.

    Parameters
    ----------
    sections
        As in the pipeline file.
    analyses
        Analysis of each step, by the name of the step.

    Raises
    ------
    ParameterError
        If a section names a figure, a step or an option that does not exist. A note names the section.
    """
    for section in sections:
        try:
            for figure in section.figures:
                check_figure(figure, analyses=analyses)
            for table in section.tables:
                step = read_request(table).step
                if step not in analyses:
                    message = f"A table must name a step. Got {step!r}; steps: {listed(analyses)}."
                    raise ParameterError(message)
        except InputError as error:
            error.add_note(f"In the section {section.title!r} of the report.")
            raise


def _parts(record: RunRecord, results: Mapping[str, xr.Dataset]) -> list[Part]:
    pictures = _Pictures(results)
    parts = [("What was done", _summary(record, results))]
    if record.store:
        claims = ("Claims", _claims(record.claims, pictures, claims_sentence(record)))
        parts = [(TITLE, _audit(record, pictures)), *parts, claims]
    for section in record.sections:
        try:
            parts.append((section.title, _section(section, pictures)))
        except InputError as error:
            error.add_note(f"In the section {section.title!r} of the report.")
            raise
    parts.append(("Methods", methods(record)))
    if record.store:
        parts.append(("What it cost", bill_table(record)))
    return [*parts, ("Provenance", provenance(record))]


class _Pictures:
    """The results, and the number of figures so far."""

    def __init__(self, results: Mapping[str, xr.Dataset]) -> None:
        self.results = results
        self.drawn = 0

    def draw(self, figure: Mapping[str, object]) -> Markup:
        self.drawn += 1
        drawn = draw_figure(figure, self.results)
        return image_element(drawn, caption=str(figure.get("caption", "")), number=self.drawn)

    def draw_associations(self, found: xr.Dataset) -> Markup:
        self.drawn += 1
        caption = "Which variables of the samples go together. What goes with a batch cannot be told from it."
        return image_element(association_matrix(found), caption=caption, number=self.drawn)

    def draw_claims(self, claims: Sequence[ClaimOutcome]) -> Markup:
        self.drawn += 1
        caption = "What was claimed and what was found. Every row has a scale of its own."
        return image_element(claims_plot(_claims_dataset(claims)), caption=caption, number=self.drawn)


def _summary(record: RunRecord, results: Mapping[str, xr.Dataset]) -> Markup:
    steps = []
    for step in record.steps:
        words = [step_sentence(step), certificate_of(results.get(step.name))]
        steps.append(element("li", [element("b", step.name), f": {'; '.join(word for word in words if word)}"]))
    return joined(
        [
            element("p", sizes_sentence(record)),
            element("p", f"This run has {count_text(len(record.steps))} steps:"),
            element("ol", steps),
            warnings_box(record),
        ]
    )


def _audit(record: RunRecord, pictures: _Pictures) -> Markup:
    section = audit_section(record.audit)
    if record.audit is None or not record.audit.associations:
        return section
    return joined([section, pictures.draw_associations(audit_dataset(record.audit))])


def _claims(claims: Sequence[ClaimOutcome], pictures: _Pictures, sentence: str) -> Markup:
    said = element("p", element("b", sentence))
    if not claims:
        return said
    rows = []
    for claim in claims:
        word, kind = ("✓ holds", "holds") if claim.holds else ("✗ does not hold", "fails")
        verdict = element("span", word, attributes={"class": kind})
        read = joined([claim.source, element("small", f"read from {claim.step}.{claim.variable}")])
        expected, interval, found = claim_texts(claim)
        rows.append([claim.name, expected, interval, found, verdict, read])
    header = ["Claim", "Claimed", "Must lie within", "Found", "Outcome", "Source"]
    return joined([said, table_element(header, rows, numbers=(1, 2, 3)), pictures.draw_claims(claims)])


def _claims_dataset(claims: Sequence[ClaimOutcome]) -> xr.Dataset:
    fields = ("expected", "lower", "upper", "found")
    texts = [claim_texts(claim) for claim in claims]
    return xr.Dataset(
        {f"claim_{field}": ("claim", [float(getattr(claim, field)) for claim in claims]) for field in fields}
        | {
            "claim_expected_text": ("claim", [expected for expected, _, _ in texts]),
            "claim_found_text": ("claim", [found for _, _, found in texts]),
        },
        coords={"claim": [claim.name for claim in claims]},
    )


def _section(section: Section, pictures: _Pictures) -> Markup:
    pieces = [paragraphs(section.text)]
    pieces += [pictures.draw(figure) for figure in section.figures]
    for table in section.tables:
        request = read_request(table)
        pieces.append(result_tables(pictures.results[request.step], request))
    return joined(pieces)


def _page(record: RunRecord, parts: Sequence[Part]) -> str:
    links = [
        element("li", element("a", title, attributes={"href": f"#part-{number}"}))
        for number, (title, _) in enumerate(parts, start=1)
    ]
    contents = element("nav", [element("p", "Contents"), element("ol", links)], attributes={"aria-label": "Contents"})
    sections = [
        element("section", [element("h2", title), content], attributes={"id": f"part-{number}"})
        for number, (title, content) in enumerate(parts, start=1)
    ]
    body = [_header(record), contents, element("main", sections), _footer(record)]
    head = [
        element("meta", attributes={"charset": "utf-8"}),
        element("meta", attributes={"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("title", record.title),
        element("style", Markup(STYLE)),
    ]
    page = element(
        "html",
        [element("head", head), element("body", element("div", body, attributes={"class": "page"}))],
        attributes={"lang": "en"},
    )
    return f"<!DOCTYPE html>\n{page}\n"


def _header(record: RunRecord) -> Markup:
    holding = sum(claim.holds for claim in record.claims)
    claims = f"{holding} of {len(record.claims)}" if record.claims else "none made"
    facts = {
        "Cells": count_text(record.cells),
        "Genes": count_text(record.genes),
        "Samples": count_text(record.samples),
        "Patients": count_text(record.patients),
        "Claims that hold": claims,
        "Time": seconds_text(record.bill.seconds),
    }
    if not record.store:
        shown = ("Patients", "Genes", "Time") if record.genes else ("Patients", "Time")
        facts = {name: facts[name] for name in shown}
    pairs = [element("div", [element("dt", name), element("dd", value)]) for name, value in facts.items()]
    lead = element("p", " ".join(record.description.split()), attributes={"class": "lead"})
    kind = element("p", f"Report of {time_text(record.finished)}", attributes={"class": "kind"})
    return element(
        "header", [kind, element("h1", record.title), lead, element("dl", pairs, attributes={"class": "facts"})]
    )


def _footer(record: RunRecord) -> Markup:
    version = record.versions.get("chemores_dask", "")
    made = (
        f"from the pipeline {record.pipeline}, seed {record.seed}" if record.store else f"by chemores {record.pipeline}"
    )
    return element("footer", f"Made by chemores_dask {version} {made}.")


def _write_at_once(page: str, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    partial = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(page)
        partial.chmod(0o644)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path
