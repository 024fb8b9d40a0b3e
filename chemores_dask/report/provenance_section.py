"""How the numbers of a run came about, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Mapping

from chemores_dask.figures.number_text import count_text, number_text
from chemores_dask.metering import bytes_text
from chemores_dask.report.markup import Markup, element, joined
from chemores_dask.report.narrative import descriptive_sentences, seconds_text, step_sentence, time_text
from chemores_dask.report.tables import table_element
from chemores_dask.workflow.record import Bill, RunRecord, StepRecord

LONGEST_VALUE = 700
UNUSED_BY_TABLES = ("Memory budget", "Seed")


def methods(record: RunRecord) -> Markup:
    """Each step with what decides its numbers.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    HTML.
    """
    said = [element("p", descriptive_sentences(record))]
    if record.store:
        seed = f"The seed of the run is {record.seed}; the same seed gives the same bits, for any number of workers."
        said.append(element("p", seed))
    return joined([*said, *(_step(step) for step in record.steps)])


def provenance(record: RunRecord) -> Markup:
    """Times, machine, checksums and versions.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    HTML.
    """
    facts = {
        **(
            {"Pipeline": record.pipeline, "Store": record.store}
            if record.store
            else {"Command": f"chemores {record.pipeline}"}
        ),
        "Started": time_text(record.started),
        "Finished": time_text(record.finished),
        "Computed on": record.host,
        "Memory budget": "none" if record.memory_budget_bytes is None else bytes_text(record.memory_budget_bytes),
        "Seed": record.seed,
    }
    if not record.store:
        facts = {name: fact for name, fact in facts.items() if name not in UNUSED_BY_TABLES}
    inputs = [[name, element("code", checksum)] for name, checksum in record.inputs.items()]
    versions = [[name, version] for name, version in record.versions.items()]
    return joined(
        [
            _pairs(facts),
            element("h3", "Checksums of what was read"),
            table_element(["Input", "Checksum"], inputs) if inputs else element("p", "None were recorded."),
            element("h3", "Versions"),
            table_element(["Package", "Version"], versions) if versions else element("p", "None were recorded."),
        ]
    )


def bill_table(record: RunRecord) -> Markup:
    """What each step and the whole run cost.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    HTML.
    """
    header = [
        "Step", "Passes over the counts", "Bytes decoded", "Tasks", "Time", "Memory predicted", "Peak memory",
    ]  # fmt: skip
    rows = [[step.name, *_step_cells(step)] for step in record.steps]
    rows.append(["Whole run", *_bill_cells(record.bill)])
    caption = (
        "A pass is one reading of all counts of the store: rows decoded over rows stored. "
        "Peak memory is that of all processes together, as measured; predicted is what the plan promised before anything was read."
    )
    return table_element(header, rows, caption=caption, numbers=range(1, len(header)), total=True)


def warnings_box(record: RunRecord) -> Markup:
    """Warnings of all steps; nothing where there are none.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    HTML.
    """
    said = [(step.name, text) for step in record.steps for text in step.warnings]
    if not said:
        return Markup("")
    items = [element("li", [element("b", f"{name}: "), text]) for name, text in said]
    words = "One warning was given" if len(said) == 1 else f"{len(said)} warnings were given"
    content = [element("p", element("b", f"{words} in this run")), element("ul", items)]
    return element("div", content, attributes={"class": "box alert"})


def _step(step: StepRecord) -> Markup:
    sentence = step_sentence(step)
    facts: dict[str, object] = {"Analysis": step.analysis, "Fingerprint": element("code", step.fingerprint)}
    if "seed" in step.parameters:
        facts["Seed"] = step.parameters["seed"]
    if step.parameters:
        facts["Parameters"] = _values(step.parameters)
    if step.inputs:
        facts["Inputs"] = _values(step.inputs)
    if step.warnings:
        facts["Warnings"] = element("ul", [element("li", text) for text in step.warnings])
    content = [element("h3", step.name), element("p", f"{sentence[0].upper()}{sentence[1:]}."), _pairs(facts)]
    return element("div", content, attributes={"class": "step"})


def _values(values: Mapping[str, object]) -> Markup:
    lines = []
    for name, value in values.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        if len(text) > LONGEST_VALUE:
            text = f"{text[:LONGEST_VALUE]} … ({count_text(len(text))} characters; in full in run.json)"
        lines.append(element("div", element("code", f"{name} = {text}")))
    return joined(lines)


def _pairs(facts: Mapping[str, object]) -> Markup:
    content = [piece for name, value in facts.items() for piece in (element("dt", name), element("dd", value))]
    return element("dl", content, attributes={"class": "pairs"})


def _step_cells(step: StepRecord) -> list[str]:
    cells = _bill_cells(step.bill)
    if step.reused:
        return ["reused", *("–" for _ in cells[1:])]
    if step.shared_with and not step.bill.passes:
        return [f"with {step.shared_with[0]}", *cells[1:]]
    return cells


def _bill_cells(bill: Bill) -> list[str]:
    return [
        number_text(bill.passes),
        bytes_text(bill.bytes_decoded),
        count_text(bill.tasks),
        seconds_text(bill.seconds),
        bytes_text(bill.predicted_memory_bytes) if bill.predicted_memory_bytes else "–",
        bytes_text(bill.peak_memory_bytes),
    ]
