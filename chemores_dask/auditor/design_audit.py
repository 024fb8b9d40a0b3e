"""The audit of a design: every check in turn, and what they found as one result."""

from __future__ import annotations

import numpy as np
import xarray as xr

from chemores_dask.auditor.associations import Associations, find_associations
from chemores_dask.auditor.attainability import TestReach, check_attainable
from chemores_dask.auditor.cell_numbers import check_cells
from chemores_dask.auditor.circularity import check_circularity
from chemores_dask.auditor.confounding import Alias, check_confounding
from chemores_dask.auditor.event_numbers import check_events
from chemores_dask.auditor.findings import CheckOutcome
from chemores_dask.auditor.missing_outcomes import check_outcomes
from chemores_dask.auditor.multiplicity import check_families
from chemores_dask.auditor.pairing import check_pairs
from chemores_dask.auditor.replication import check_replicates
from chemores_dask.auditor.sample_groups import patient_names
from chemores_dask.auditor.sample_identity import check_identity
from chemores_dask.auditor.score_depth import check_depth
from chemores_dask.auditor.signature_coverage import check_signatures
from chemores_dask.auditor.study_design import StudyDesign
from chemores_dask.auditor.time_origin import check_time_origin
from chemores_dask.errors import InputError
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

SEVERITIES = ("note", "warning", "error")
STATUSES = ("not_applicable", "clean", "found")

_FINDING, _CHECK, _TEST, _ALIAS = ("finding",), ("check",), ("test",), ("alias",)
_PAIR = ("variable", "variable_other")
RESULT = declare(
    Variable("finding_code", _FINDING, "U", doc="what kind of finding it is"),
    Variable("finding_severity", _FINDING, "i", flags=SEVERITIES, doc="how much it matters"),
    Variable("finding_check", _FINDING, "U", doc="the check that found it"),
    Variable("finding_subject", _FINDING, "U", doc="the test, variable, model, signature or sample concerned"),
    Variable("finding_text", _FINDING, "U", doc="what was found"),
    Variable("finding_mend", _FINDING, "U", doc="what to do about it"),
    Variable(
        "finding_value",
        _FINDING,
        "f",
        doc="the figure that decided, in the unit of its kind; not a number where there is none",
    ),
    Variable("finding_limit", _FINDING, "f", doc="the limit that it was held against"),
    Variable(
        "finding_patients", _FINDING, "i", unit="patients", doc="patients concerned; 0 where it is not about patients"
    ),
    Variable(
        "check_status", _CHECK, "i", flags=STATUSES, doc="whether it had anything to look at, and found something"
    ),
    Variable("check_findings", _CHECK, "i", unit="findings"),
    Variable("check_looked_at", _CHECK, "U", doc="what it looked at, or why it had nothing to look at"),
    Variable("planned_kind", _TEST, "U", doc="kind of the planned test"),
    Variable("planned_unit", _TEST, "U", doc="what the planned test takes as its n"),
    Variable("planned_family", _TEST, "U", doc="family of the planned test; empty where none is declared"),
    Variable("planned_tests", _TEST, "i", unit="tests", doc="how many tests it makes"),
    Variable(
        "planned_units", _TEST, "i", unit="units", doc="pairs, or units of both sides; 0 where they are not known"
    ),
    Variable(
        "planned_minimum_p_value",
        _TEST,
        "f",
        doc="smallest P that it can give; not a number where it has no such limit",
    ),
    Variable("association_cramers_v", _PAIR, "f", doc="corrected for bias"),
    Variable(
        "association_tau",
        _PAIR,
        "f",
        doc="Goodman and Kruskal's: share of the wrong guesses of the other variable that this one saves",
    ),
    Variable(
        "association_units",
        _PAIR,
        "i",
        unit="patients or samples",
        doc="what was counted; patients where both belong to patients",
    ),
    Variable("association_counted", _PAIR, "U", doc="patients or samples"),
    Variable("alias_design", _ALIAS, "U", doc="the formula or the comparison"),
    Variable("alias_column", _ALIAS, "U", doc="a column that follows from others"),
    Variable("alias_combination", _ALIAS, "U", doc="what it equals"),
)


def audit(design: StudyDesign) -> xr.Dataset:
    """Audit the design of a study: what an expert would object to before looking at a single number.

    Each check looks at what the design says, and at nothing else; where the design says nothing, the check has the status
    ``not_applicable`` and never passes silently. Errors mean that a result would not say what it seems to say; warnings that it must be
    read with care; notes are for the record.

    Parameters
    ----------
    design
        The table of samples, and as much of comparisons, tests, families, models, signatures and scores as is known.

    Returns
    -------
    Dataset over ``finding`` (errors first): ``finding_code``, ``finding_severity``, ``finding_check``, ``finding_subject``,
    ``finding_text``, ``finding_mend``, the figure that decided (``finding_value``) and its limit, ``finding_patients``. Over ``check``:
    ``check_status``, ``check_looked_at``, ``check_findings``. Over ``test``: ``planned_minimum_p_value`` and what is known of each planned
    test. Over pairs of variables of the samples: ``association_cramers_v``, ``association_tau``, ``association_units`` (how many
    patients or samples were counted). Over ``alias``: columns of designs that follow from others, and what they equal.

    Raises
    ------
    MissingVariableError
        If a formula names a column that the samples do not have.
    InputError
        If a formula cannot be read, or a value that it needs is missing.

    Notes
    -----
    Passes over the counts: 0. Associations are counted over patients where both variables belong to patients. Codes of findings, with what
    they stand for, are those of ``chemores_dask.auditor.findings.CODES``.

    References
    ----------
    Hurlbert SH (1984). Pseudoreplication and the design of ecological field experiments. Ecol Monogr 54:187-211.
    Bergsma W (2013). A bias-correction for Cramer's V and Tschuprow's T. J Korean Stat Soc 42:323-328.

    Examples
    --------
    >>> import pandas as pd
    >>> from chemores_dask.auditor.study_design import PlannedContrast, PlannedTest
    >>> stages = PlannedContrast("stage", "pre", "post", paired=True)
    >>> samples = pd.DataFrame({"sample": range(6), "patient": list("AABBCC"), "stage": ["pre", "post"] * 3})
    >>> found = audit(StudyDesign(samples, tests=(PlannedTest("share", kind="sign_flip", contrast=stages),)))
    >>> found["finding_code"].values.tolist(), found["planned_minimum_p_value"].values.tolist()
    (['unattainable_p_value'], [0.25])
    """
    if not isinstance(design, StudyDesign):
        message = (  # type: ignore[unreachable]
            f"audit needs a StudyDesign. Got {type(design).__name__}; write audit(StudyDesign(samples, …))."
        )
        raise InputError(message)
    associations = find_associations(design)
    confounding, aliases = check_confounding(design, associations)
    attainable, reaches = check_attainable(design)
    outcomes = (
        check_replicates(design),
        check_pairs(design),
        confounding,
        check_cells(design),
        check_identity(design),
        attainable,
        check_families(design),
        check_events(design),
        check_time_origin(design),
        check_outcomes(design),
        check_circularity(design),
        check_signatures(design),
        check_depth(design),
    )
    values, coordinates = _findings(outcomes)
    tests = _tests(reaches)
    return make_result(
        RESULT,
        values | _checks(outcomes) | tests | _associations(associations) | _aliases(aliases),
        analysis="audit",
        parameters={"level": design.level},
        coordinates=coordinates
        | {
            "check": np.array([outcome.check for outcome in outcomes], dtype=object),
            "test": np.array([reach.test.name for reach in reaches], dtype=object),
            "variable": np.array(associations.variables, dtype=object),
            "variable_other": np.array(associations.variables, dtype=object),
            "alias": np.arange(1, len(aliases) + 1),
        },
        attributes={"samples": len(design.samples), "patients": len(set(patient_names(design)))},
    )


def _texts(values: list[str]) -> np.ndarray:
    return np.array(values, dtype=object)


def _findings(outcomes: tuple[CheckOutcome, ...]) -> tuple[dict[str, object], dict[str, object]]:
    found = [(outcome.check, finding) for outcome in outcomes for finding in outcome.findings]
    found.sort(key=lambda pair: -pair[1].severity)
    findings = [finding for _, finding in found]
    values: dict[str, object] = {
        "finding_check": _texts([check for check, _ in found]),
        "finding_severity": np.array([int(finding.severity) for finding in findings], dtype=np.int64),
        "finding_patients": np.array([finding.patients for finding in findings], dtype=np.int64),
    }
    for name in ("code", "subject", "text", "mend"):
        values[f"finding_{name}"] = _texts([getattr(finding, name) for finding in findings])
    for name in ("value", "limit"):
        values[f"finding_{name}"] = np.array([getattr(finding, name) for finding in findings], dtype=np.float64)
    return values, {"finding": np.arange(1, len(found) + 1)}


def _checks(outcomes: tuple[CheckOutcome, ...]) -> dict[str, object]:
    statuses = [0 if not outcome.applicable else 2 if outcome.findings else 1 for outcome in outcomes]
    return {
        "check_status": np.array(statuses, dtype=np.int64),
        "check_findings": np.array([len(outcome.findings) for outcome in outcomes], dtype=np.int64),
        "check_looked_at": _texts([outcome.looked_at for outcome in outcomes]),
    }


def _tests(reaches: tuple[TestReach, ...]) -> dict[str, object]:
    return {
        "planned_kind": _texts([reach.test.kind for reach in reaches]),
        "planned_unit": _texts([reach.test.unit for reach in reaches]),
        "planned_family": _texts([reach.test.family for reach in reaches]),
        "planned_tests": np.array([reach.test.tests for reach in reaches], dtype=np.int64),
        "planned_units": np.array([sum(reach.sizes) for reach in reaches], dtype=np.int64),
        "planned_minimum_p_value": np.array([reach.p_value for reach in reaches], dtype=np.float64),
    }


def _associations(associations: Associations) -> dict[str, object]:
    return {
        "association_cramers_v": associations.cramers_v(),
        "association_tau": associations.tau(),
        "association_units": associations.units(),
        "association_counted": associations.counted_units(),
    }


def _aliases(aliases: tuple[Alias, ...]) -> dict[str, object]:
    return {
        "alias_design": _texts([alias.design for alias in aliases]),
        "alias_column": _texts([alias.column for alias in aliases]),
        "alias_combination": _texts([alias.combination for alias in aliases]),
    }
