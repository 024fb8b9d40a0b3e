"""What a step compares, read off its parameters: two stages, a column of a design, or groups of samples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import combinations

import pandas as pd

from chemores_dask.auditor.formula_columns import formula_variables
from chemores_dask.auditor.study_design import PlannedContrast

COLUMN = re.compile(r"^(?:C\()?(?P<variable>[A-Za-z_]\w*)(?P<coding>,.*)?\)?(?:\[(?:T\.)?(?P<value>[^\]]*)\])?$")
"""A column of a design: ``stage``, ``stage[T.relapse]`` or ``C(stage, contr.treatment('diagnosis'))[T.relapse]``."""

REFERENCE = re.compile(r"""treatment\(\s*(?:base\s*=\s*)?['"](?P<level>[^'"]*)['"]""")
MOST_GROUPS = 4
"""Groups of samples of which all pairs are looked at."""

Where = tuple[tuple[str, tuple[str, ...]], ...]


def step_contrasts(
    arguments: Mapping[str, object], samples: pd.DataFrame, *, patient: str, paired: bool, where: Where
) -> tuple[PlannedContrast, ...]:
    """Read what a step compares off its arguments, whose names mean the same in every analysis.

    Parameters
    ----------
    arguments
        Of the step.
    samples
        One row per sample. What is not a column of it, such as a joined result, is not known before a run.
    patient
        Column that names the patient.
    paired
        Whether the analysis compares within patients by itself.
    where
        Samples that take part.

    Returns
    -------
    ``stage`` with ``before`` and ``after``; what ``contrast`` or ``term`` picks of ``formula``; or each two values of ``group``. None
    where the step says nothing of the kind.
    """
    formula = _known_formula(arguments, samples)
    found = _stages(arguments, samples) or _column(arguments, samples, formula) or tuple(_groups(arguments, samples))
    within = paired or (bool(formula) and patient in formula_variables(formula))
    stage, at = arguments.get("stage"), arguments.get("at")
    chosen = ((str(stage), (str(at),)),) if isinstance(at, str) and stage in samples else ()
    return tuple(
        PlannedContrast(variable, first, second, paired=within, formula=formula, where=(*where, *chosen))
        for variable, first, second in found
    )


def _stages(arguments: Mapping[str, object], samples: pd.DataFrame) -> tuple[tuple[str, str, str], ...]:
    variable, first, second = (arguments.get(name) for name in ("stage", "before", "after"))
    named = all(isinstance(value, str) for value in (variable, first, second))
    return ((str(variable), str(first), str(second)),) if named and variable in samples and first != second else ()


def _column(arguments: Mapping[str, object], samples: pd.DataFrame, formula: str) -> tuple[tuple[str, str, str], ...]:
    """The two levels that a column of the design compares."""
    named = next((value for name in ("contrast", "term") if isinstance(value := arguments.get(name), str)), "")
    matched = COLUMN.match(named)
    if not formula or matched is None or matched["variable"] not in samples:
        return ()
    levels = _levels(samples[matched["variable"]])
    coding = matched["coding"] or next(
        (
            found
            for found in re.findall(r"C\(([^()]*(?:\([^()]*\))?[^()]*)\)", formula)
            if found.startswith(matched["variable"])
        ),
        "",
    )
    stated = REFERENCE.search(coding)
    reference = stated["level"] if stated else next(iter(levels), "")
    second = matched["value"] or next((level for level in levels if level != reference), "")
    return (
        ((matched["variable"], reference, second),)
        if {reference, second} <= set(levels) and reference != second
        else ()
    )


def _groups(arguments: Mapping[str, object], samples: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    group = arguments.get("group")
    if not isinstance(group, str) or group not in samples:
        return
    levels = _levels(samples[group])
    if len(levels) <= MOST_GROUPS:
        for first, second in combinations(levels, 2):
            yield group, first, second


def _levels(column: pd.Series) -> list[str]:
    return sorted({str(value) for value in column.dropna() if str(value)})


def _known_formula(arguments: Mapping[str, object], samples: pd.DataFrame) -> str:
    """The formula, if all its columns are known for every sample; joined ones are not known before the run."""
    formula = arguments.get("formula")
    if not isinstance(formula, str) or not formula_variables(formula) <= set(map(str, samples.columns)):
        return ""
    return formula if samples[sorted(formula_variables(formula))].notna().to_numpy().all() else ""
