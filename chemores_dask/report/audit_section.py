"""What is wrong with the design, before anything else that a report says."""

from __future__ import annotations

import numpy as np
import xarray as xr

from chemores_dask.report.markup import Markup, element, joined
from chemores_dask.report.tables import table_element
from chemores_dask.workflow.record import AuditFinding, AuditRecord

TITLE = "Findings of the design audit"
SEVERITIES = {"error": "Errors", "warning": "Warnings", "note": "Notes"}
MEANINGS = {
    "error": "a result does not say what it seems to say",
    "warning": "read the results with care",
    "note": "for the record",
}
STATUSES = {"clean": "✓ nothing found", "found": "see above", "not_applicable": "– nothing to look at"}


def audit_section(found: AuditRecord | None) -> Markup:
    """The findings with how to mend them, and what was looked at.

    Parameters
    ----------
    found
        What the audit says; None where the run had none.

    Returns
    -------
    HTML without the figure.
    """
    if found is None:
        return element("p", "The design of this run was not audited.")
    pieces = [element("p", element("b", audit_sentence(found)))]
    if found.findings:
        pieces.append(_counts(found))
    pieces += [_card(finding) for finding in found.findings if finding.severity != "note"]
    notes = [_card(finding) for finding in found.findings if finding.severity == "note"]
    if notes:
        pieces.append(_folded(f"{len(notes)} {'note' if len(notes) == 1 else 'notes'}", notes))
    looked = sum(check.looked for check in found.checks)
    rows = [[check.name, element("span", STATUSES[check.status], attributes={"class": f"status {check.status}"}), check.looked_at]
            for check in found.checks]  # fmt: skip
    if rows:
        table = table_element(["Check", "Outcome", "What was looked at"], rows)
        pieces.append(_folded(f"What was looked at: {looked} of {len(rows)} checks had something to look at", [table]))
    return joined(pieces)


def audit_sentence(found: AuditRecord) -> str:
    """What the audit comes to.

    Parameters
    ----------
    found
        What the audit says.

    Returns
    -------
    One sentence or two.
    """
    looked = [check.name for check in found.checks if check.looked]
    blind = len(found.checks) - len(looked)
    rest = f" {blind} further check{'' if blind == 1 else 's'} had nothing to look at." if blind else ""
    if not found.findings:
        return f"Nothing found by the {len(looked)} checks that had something to look at: {', '.join(looked) or 'none'}.{rest}"
    if not found.count("error") and not found.count("warning"):
        return f"Nothing that must be mended, by the {len(looked)} checks that had something to look at: {', '.join(looked)}.{rest}"
    *most, last = found.counts
    said = f"{', '.join(most)} and {last}" if most else last
    return f"The audit of the design found {said}. Read what follows in their light.{rest}"


def audit_dataset(found: AuditRecord) -> xr.Dataset:
    """The associations of an audit, for their figure.

    Parameters
    ----------
    found
        What the audit says.

    Returns
    -------
    Dataset over ``variable`` and ``variable_other``.
    """
    names = list(dict.fromkeys(name for pair in found.associations for name in (pair.first, pair.second)))
    strength, units = np.eye(len(names)), np.zeros((len(names), len(names)), dtype=np.int64)
    counted = np.full((len(names), len(names)), "", dtype=object)
    for pair in found.associations:
        first, second = names.index(pair.first), names.index(pair.second)
        for place in ((first, second), (second, first)):
            strength[place] = np.nan if pair.cramers_v is None else pair.cramers_v
            units[place], counted[place] = pair.units, pair.counted
    dims = ("variable", "variable_other")
    return xr.Dataset(
        {
            "association_cramers_v": (dims, strength),
            "association_units": (dims, units),
            "association_counted": (dims, counted),
        },
        coords=dict.fromkeys(dims, names),
    )


def _counts(found: AuditRecord) -> Markup:
    said = [
        element("span", [element("b", str(found.count(name))), f" {title.lower() if found.count(name) != 1 else name}",
                         element("small", f" {MEANINGS[name]}")], attributes={"class": f"count {name}"})
        for name, title in SEVERITIES.items()
        if found.count(name)
    ]  # fmt: skip
    return element("div", said, attributes={"class": "counts"})


def _card(finding: AuditFinding) -> Markup:
    badge = element("span", finding.severity, attributes={"class": f"badge {finding.severity}"})
    code = element("code", finding.code)
    title = element("p", [badge, element("b", f" {finding.subject} "), code], attributes={"class": "subject"})
    mend = element("p", [element("b", "To mend: "), finding.mend], attributes={"class": "mend"})
    return element(
        "div", [title, element("p", finding.text), mend], attributes={"class": f"finding {finding.severity}"}
    )


def _folded(summary: str, content: list[Markup]) -> Markup:
    return element("details", [element("summary", summary), *content])
