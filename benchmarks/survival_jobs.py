"""Survival over thousands of patients and every gene: what is measured, and what must be reached."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.measurement import Job, Notebook
from benchmarks.requirement_rows import Row, memory_below, row_of, seconds_within

PART = "survival"
SCAN_LIMITS = {400: 1.0, 1336: 4.0}
"""Seconds for 20,000 genes, by number of patients."""

TIMES_FASTER = {"lifelines": 1000.0, "scikit_survival": None, "r": 5.0}
"""Per gene and 400 patients: in a loop over genes, and of R the bare ``coxph.fit``. None is recorded only."""

MODEL_PART, CURVE_PART, PATH_PART = "cox_model", "kaplan_meier", "elastic_net"
MODEL_PEERS = {
    MODEL_PART: ("lifelines", "scikit_survival", "r"),
    CURVE_PART: ("lifelines", "scikit_survival", "r"),
    PATH_PART: ("scikit_survival", "r"),
}
MODEL_WORK = {
    MODEL_PART: "Cox model, 10 covariates x 1,336 patients",
    CURVE_PART: "Kaplan-Meier curves and log-rank test, 5,000 patients in 2 groups",
    PATH_PART: "Elastic-net Cox path, 500 patients x 5,000 genes x 100 penalties",
}
WORKERS = ("one_worker", "two_workers")
"""Of the thousand resamples of stability selection."""

OWN = tuple(f"scan_{patients}" for patients in SCAN_LIMITS)
PEERS = tuple(TIMES_FASTER)


def survival_jobs(sizes: Sequence[int], *, skip: Sequence[str] = ()) -> list[Job]:
    """The jobs; they do not depend on the number of cells, and stand beside the smallest one."""
    if PART in skip:
        return []
    steps = OWN if "rivals" in skip else OWN + PEERS
    peers = {part: () if "rivals" in skip else MODEL_PEERS[part] for part in MODEL_WORK}
    names = [f"{PART}.{step}" for step in steps]
    names += [f"{part}.{step}" for part in MODEL_WORK for step in ("ours", *peers[part])]
    names += [f"{PATH_PART}.{step}" for step in WORKERS]
    return [Job(name, min(sizes)) for name in names]


def survival_requirements(notebook: Notebook, *, sizes: Sequence[int]) -> list[Row]:
    """What must be reached; what was not measured is left out."""
    cells = min(sizes)
    return (
        scan_requirements(notebook, cells) + model_requirements(notebook, cells) + worker_requirements(notebook, cells)
    )


def scan_requirements(notebook: Notebook, cells: int) -> list[Row]:
    """Seconds and memory of the Cox scan, and how many times faster than others it is for one gene."""
    rows: list[Row] = []
    for patients, limit in SCAN_LIMITS.items():
        work = f"Cox scan, 20,000 genes x {patients:,} patients"
        rows += seconds_within(notebook, f"{PART}.scan_{patients}", cells, work=work, limit=limit)
        rows += memory_below(notebook, f"{PART}.scan_{patients}", cells, work=work, limit=2)
    own = notebook.find(f"{PART}.{OWN[0]}", cells)
    for peer, least in TIMES_FASTER.items():
        found = notebook.find(f"{PART}.{peer}", cells)
        if own is None or found is None:
            continue
        each, other = own["seconds"] / own["facts"]["genes"], found["seconds"] / found["facts"]["genes"]
        times = other / each
        told = f"{times:,.0f} times ({1e6 * other:,.0f} us against {1e6 * each:.1f} us; {found['facts']['genes']} genes there)"
        required, met = ("recorded", None) if least is None else (f">= {least:,.0f} times", times >= least)
        rows.append(row_of(f"Cox scan against {peer.replace('_', '-')}, per gene", cells, required, told, met=met))
    return rows


def model_requirements(notebook: Notebook, cells: int) -> list[Row]:
    """How much faster or slower one model, or one pair of curves with its test, is than elsewhere; recorded only."""
    rows: list[Row] = []
    for part, work in MODEL_WORK.items():
        own = notebook.find(f"{part}.ours", cells)
        for peer in MODEL_PEERS[part]:
            found = notebook.find(f"{part}.{peer}", cells)
            if own is None or found is None:
                continue
            each, other = (1e3 * record["seconds"] / record["facts"]["fits"] for record in (own, found))
            told = f"{other / each:.2g} times ({other:.1f} ms against {each:.1f} ms)"
            wanted = part == PATH_PART and peer == "r"
            required, met = ("no slower", other >= each) if wanted else ("recorded", None)
            rows.append(row_of(f"{work}, against {peer.replace('_', '-')}", cells, required, told, met=met))
    return rows


def worker_requirements(notebook: Notebook, cells: int) -> list[Row]:
    """How a thousand resamples scale over two workers."""
    one, two = (notebook.find(f"{PATH_PART}.{step}", cells) for step in WORKERS)
    if one is None or two is None:
        return []
    times = one["seconds"] / two["seconds"]
    told = f"{times:.2f} times ({one['seconds']:.1f} s against {two['seconds']:.1f} s)"
    work = f"Stability selection, {one['facts']['fits']:,} resamples: two workers against one"
    return [row_of(work, cells, ">= 1.6 times", told, met=times >= 1.6)]
