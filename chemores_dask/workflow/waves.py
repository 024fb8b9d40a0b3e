"""Which steps of a run read the cells together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chemores_dask.workflow.catalogue import COUNTS
from chemores_dask.workflow.planning import PlannedStep
from chemores_dask.workflow.steps import CELLS, PATIENTS, View, references_of

Wave = tuple[PlannedStep, ...]


def plan_waves(planned: Sequence[PlannedStep], *, views: Mapping[str, View]) -> tuple[Wave, ...]:
    """Put steps that read cells and do not need each other into one wave, so that one pass serves them.

    Otherwise steps run one by one, in the order in which they were planned.

    Parameters
    ----------
    planned
        The steps, each after all that it reads.
    views
        Of the pipeline, by name.

    Returns
    -------
    Waves in the order in which they run. A wave of several steps holds only steps that must run and that read cells.
    """
    waiting = list(planned)
    finished: set[str] = set()
    waves: list[Wave] = []
    while waiting:
        ready = [each for each in waiting if required_steps(each, views=views) <= finished]
        reading = tuple(each for each in ready if not each.done and each.entry.takes == COUNTS)
        wave = reading if ready[0] in reading else (ready[0],)
        waves.append(wave)
        finished.update(each.step.name for each in wave)
        waiting = [each for each in waiting if each.step.name not in finished]
    return tuple(waves)


def required_steps(planned: PlannedStep, *, views: Mapping[str, View]) -> set[str]:
    """The steps whose results a step reads, also through views.

    Parameters
    ----------
    planned
        The step.
    views
        Of the pipeline, by name.

    Returns
    -------
    Names of steps.
    """
    required = set()
    for read in (planned.step.of, *(reference.step for reference in references_of(planned.step))):
        name = read
        while name in views:
            view = views[name]
            if view.keep is not None:
                required.add(view.keep.step)
            name = view.of
        if name != CELLS and not name.startswith(PATIENTS):
            required.add(name)
    return required


def expected_passes(wave: Wave) -> int:
    """Passes over the counts that a wave is expected to take: its steps share their first."""
    passes = [each.entry.passes for each in wave if not each.done]
    sharing = sum(1 for number in passes if number)
    return sum(passes) - max(sharing - 1, 0)
