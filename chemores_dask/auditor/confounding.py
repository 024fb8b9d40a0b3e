"""Can what is compared be told from batches and from everything else that differs between the samples?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from chemores_dask.aliases import Matrix
from chemores_dask.auditor.associations import Associations
from chemores_dask.auditor.findings import CheckOutcome, Finding, Severity, nothing_to_check, number_of
from chemores_dask.auditor.formula_columns import formula_columns, formula_variables
from chemores_dask.auditor.sample_groups import ComparedSamples, compared_samples, counted, labels_of, paired_samples
from chemores_dask.auditor.study_design import PlannedContrast, StudyDesign
from chemores_dask.checks import listed
from chemores_dask.kernels.design_rank import alias_text, aliased_columns, independent_columns

CHECK = "confounding"
STRONG = 0.5
"""Cramer's V from which two variables are said to go together."""

FULL = 1 - 1e-9

FEWEST_UNITS = 8
"""Patients or samples from which on a strong association is told also where neither variable tells the other in full."""

FEWEST_IN_BATCH = 3
"""Units of a batch that holds one value only, from which on this is no accident of a small batch."""


@dataclass(frozen=True)
class Alias:
    """A column of a design that follows from others.

    Attributes
    ----------
    design
        The formula, or the comparison.
    column, combination
        The column, and what it equals.
    """

    design: str
    column: str
    combination: str


def check_confounding(design: StudyDesign, associations: Associations) -> tuple[CheckOutcome, tuple[Alias, ...]]:
    """Look for comparisons that batches or other variables could explain.

    Parameters
    ----------
    design
        The design.
    associations
        How far the variables of the samples go together.

    Returns
    -------
    Findings ``aliased_design``, ``unshared_batch``, ``aliased_contrast``, ``uninformative_batch`` and ``associated_variables``; and what
    equals what in designs whose columns follow from each other.
    """
    if not design.all_contrasts and not associations.variables:
        return nothing_to_check(
            CHECK, "no comparison is planned, and the samples have no variables to hold against each other"
        ), ()
    findings: list[Finding] = []
    aliases: list[Alias] = []
    told: set[frozenset[str]] = set()
    for contrast in design.all_contrasts:
        if not compared_samples(design, contrast).has_both_values:
            continue
        for finding, pairs, found in (_formula(design, contrast), _batches(design, contrast)):
            aliases += [alias for alias in found if alias not in aliases]
            # What a formula has shown to be aliased is not said again of its batches.
            if finding is not None and not (pairs & told):
                findings.append(finding)
            told |= pairs
    findings += _associated(design, associations, told)
    batches = design.batches
    said = (
        f"{number_of(len(design.all_contrasts), 'comparison')} against {listed(batches) if batches else 'no column of batches'}; "
        f"{number_of(len(associations.variables), 'variable')} of the samples against each other"
        + (f": {listed(associations.variables)}" if associations.variables else "")
    )
    return CheckOutcome(CHECK, said, findings=tuple(findings)), tuple(aliases)


_Answer = tuple[Finding | None, set[frozenset[str]], list[Alias]]
_SILENT: _Answer = (None, set(), [])


def _formula(design: StudyDesign, contrast: PlannedContrast) -> _Answer:
    if not contrast.formula:
        return _SILENT
    table = compared_samples(design, contrast).table
    matrix, columns = formula_columns(table, contrast.formula)
    aliased = aliased_columns(matrix)
    if not aliased:
        return _SILENT
    aliases = [
        Alias(contrast.formula, columns[column], alias_text(weights, columns)) for column, weights in aliased.items()
    ]
    named = formula_variables(contrast.formula)
    finding = Finding(
        "aliased_design",
        Severity.ERROR,
        contrast.formula,
        f"In {contrast.formula!r} with {number_of(len(table), 'sample')}, {number_of(len(aliased), 'column')} of {len(columns)} "
        f"{'follows' if len(aliased) == 1 else 'follow'} from the others: {listed(f'{a.column} = {a.combination}' for a in aliases)}.",
        "These effects cannot be told apart. Leave a term out and say so, or add samples that separate them.",
        value=float(len(columns) - len(aliased)),
        limit=float(len(columns)),
        patients=len(set(compared_samples(design, contrast).patient)),
    )
    pairs = {frozenset((contrast.variable, name)) for name in named if name != contrast.variable}
    return finding, pairs, aliases


def _batches(design: StudyDesign, contrast: PlannedContrast) -> _Answer:
    found = compared_samples(design, contrast)
    if contrast.paired:
        found = paired_samples(found)
    if not found.has_both_values:
        return _SILENT
    tellable = [name for name in design.batches if name != contrast.variable and _is_tellable(found, contrast, name)]
    for name in tellable:
        table = counted(labels_of(found.table[name]), found.value)
        if not (table > 0).all(axis=1).any():
            return _unshared(contrast, found, name, table), {frozenset((contrast.variable, name))}, []
    joint = _joint_alias(found, contrast, tellable)
    if joint is not None:
        return joint
    if not contrast.paired:
        for name in tellable:
            finding = _uninformative(contrast, found, name)
            if finding is not None:
                return finding, {frozenset((contrast.variable, name))}, []
    return _SILENT


def _is_tellable(found: ComparedSamples, contrast: PlannedContrast, batch: str) -> bool:
    """Whether some batch holds several units; where each has a batch of its own, batches are part of the spread between units."""
    labels = labels_of(found.table[batch])
    if labels.nunique() < 2:
        return False
    units = pd.Series(range(len(labels))) if contrast.paired else found.patient
    return bool(counted(labels, units).gt(0).sum(axis=1).max() > 1)


def _unshared(contrast: PlannedContrast, found: ComparedSamples, batch: str, table: pd.DataFrame) -> Finding:
    by_value = {
        value: [str(name) for name in table.index[(table[value] > 0).to_numpy()]]
        for value in (contrast.first, contrast.second)
    }
    return Finding(
        "unshared_batch",
        Severity.ERROR,
        f"{contrast.variable} and {batch}",
        f"No {batch} holds samples of both {contrast.first!r} ({listed(by_value[contrast.first])}) and {contrast.second!r} "
        f"({listed(by_value[contrast.second])}). Whatever differs between these may come from the {batch}.",
        f"Compare within a {batch}: sequence samples of both in one. No correction can tell the two apart, and integration over {batch} "
        "would take the difference away.",
        value=0.0,
        limit=1.0,
        patients=len(set(found.patient)),
    )


def _joint_alias(found: ComparedSamples, contrast: PlannedContrast, batches: list[str]) -> _Answer | None:
    if not batches:
        return None
    parts = [pd.get_dummies(labels_of(found.table[name]), prefix=name, prefix_sep=" ", dtype=float) for name in batches]
    if contrast.paired:
        parts.append(pd.get_dummies(found.patient, prefix="patient", prefix_sep=" ", dtype=float))
    others = pd.concat(parts, axis=1)
    columns = (*(str(name) for name in others.columns), f"{contrast.variable} {contrast.second}")
    matrix = np.column_stack([others.to_numpy(), (found.value == contrast.second).to_numpy(dtype=float)])
    if _is_new(matrix):
        return None
    weights = aliased_columns(matrix)[len(columns) - 1]
    alias = Alias(contrast.name, columns[-1], alias_text(weights, columns))
    known = listed(batches) + (" and patient" if contrast.paired else "")
    finding = Finding(
        "aliased_contrast",
        Severity.ERROR,
        f"{contrast.variable} and {listed(batches)}",
        f"{known} together tell {contrast.first!r} from {contrast.second!r} in all {number_of(len(found.table), 'sample')}: "
        f"{alias.column} = {alias.combination}.",
        "No model can tell the difference from the batches. Sequence some samples again in another batch.",
        value=0.0,
        limit=1.0,
        patients=len(set(found.patient)),
    )
    return finding, {frozenset((contrast.variable, name)) for name in batches}, [alias]


def _is_new(matrix: Matrix) -> bool:
    return bool(independent_columns(matrix)[-1])


def _uninformative(contrast: PlannedContrast, found: ComparedSamples, batch: str) -> Finding | None:
    units = pd.DataFrame(
        {
            "patient": found.patient.to_numpy(),
            "value": found.value.to_numpy(),
            "batch": labels_of(found.table[batch]).to_numpy(),
        }
    ).drop_duplicates()
    table = counted(units["batch"], units["value"])
    shared = (table > 0).all(axis=1)
    alone = table[~shared & (table.sum(axis=1) >= FEWEST_IN_BATCH)]
    if not len(alone):
        return None
    left = table[shared].sum(axis=0)
    said = [
        f"all {int(row.sum())} patients of {batch} {name} are {contrast.first if row[contrast.first] else contrast.second}"
        for name, row in alone.iterrows()
    ]
    return Finding(
        "uninformative_batch",
        Severity.WARNING,
        f"{contrast.variable} and {batch}",
        f"{listed(said)}. Within the other batches {int(left[contrast.first])} {contrast.first} and {int(left[contrast.second])} "
        f"{contrast.second} are left: only these tell {contrast.variable} from {batch}.",
        f"Show the comparison within each {batch} too; do not read the pooled one as if batches did not matter.",
        value=float(alone.to_numpy().sum()),
        limit=float(FEWEST_IN_BATCH),
        patients=int(alone.to_numpy().sum()),
    )


def _associated(design: StudyDesign, associations: Associations, told: set[frozenset[str]]) -> list[Finding]:
    compared = {contrast.variable for contrast in design.all_contrasts}
    findings = []
    for first, second, found in associations.pairs():
        matters = {first, second} & (compared | set(design.batches))
        both_batches = {first, second} <= set(design.batches)
        full = max(found.tau_first, found.tau_second) > FULL
        strong = found.cramers_v >= STRONG and (full or found.units >= FEWEST_UNITS)
        if not matters or both_batches or frozenset((first, second)) in told or not strong:
            continue
        findings.append(
            Finding(
                "associated_variables",
                Severity.WARNING,
                f"{first} and {second}",
                f"{first} and {second} go together (Cramer's V {found.cramers_v:.2f} over {number_of(found.units, found.unit)}): knowing "
                f"{first} saves {found.tau_second:.0%} of the wrong guesses of {second}, knowing {second} saves "
                f"{found.tau_first:.0%} of those "
                f"of {first}.",
                "Show effects of one within each value of the other, and do not name one as the cause.",
                value=found.cramers_v,
                limit=STRONG,
                patients=found.units if found.unit == "patient" else 0,
            )
        )
    return findings
