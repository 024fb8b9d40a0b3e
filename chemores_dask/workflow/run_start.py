"""Before the first step of a run and after its last: what is to do, who may write, and what an interrupted run has left."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import xarray as xr

from chemores_dask.aliases import StorePath
from chemores_dask.errors import ChecksumError, FormatError, StepFailedError, StoreError
from chemores_dask.store.layout import CHECKPOINTS, GROUP_FILE, RESULTS
from chemores_dask.store.result_progress import PLAN_FILE, remove_partial_files, remove_plans
from chemores_dask.store.results import damage_of_result, forget_result, open_result
from chemores_dask.store.writer_lock import writing
from chemores_dask.stream.checkpoints import checkpoint_folder, drop_checkpoints, keeping_checkpoints
from chemores_dask.stream.staging import staging_folder
from chemores_dask.workflow.events import WaitingForStore, Watch
from chemores_dask.workflow.gene_views import need_gene_copy
from chemores_dask.workflow.inventory import Inventory, take_inventory
from chemores_dask.workflow.planning import PlannedStep, plan_pipeline
from chemores_dask.workflow.steps import Pipeline

STAGED = "staged"


@dataclass(frozen=True)
class RunStart:
    """What a run finds.

    Attributes
    ----------
    inventory
        What the store holds.
    planned
        The steps in order; one whose result is damaged is to be done again.
    opened
        Results that are there, by the name of their step.
    damaged
        What is wrong with results that are there, by the name of their step.
    """

    inventory: Inventory
    planned: tuple[PlannedStep, ...]
    opened: Mapping[str, xr.Dataset] = field(default_factory=dict)
    damaged: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def starting(pipeline: Pipeline, store: StorePath, *, wait: float, watch: Watch) -> Iterator[RunStart]:
    """Find out what a run must do, and hold the store while it does it.

    A run that has nothing to write needs no lock. While steps run, what passes learn is kept in the store; it goes when all are done.

    Parameters
    ----------
    pipeline
        What to do.
    store
        Path of the store.
    wait
        Seconds to wait for another writer.
    watch
        Told when there is somebody to wait for.

    Yields
    ------
    What the run finds.

    Raises
    ------
    StoreBusyError
        If another process writes into the store.
    """
    root = Path(store)
    start = _find(pipeline, root)
    if all(planned.done for planned in start.planned):
        _tidy(root)
        yield start
        return
    moment = _last_changes(root)
    with (
        writing(root, wait=wait, on_wait=lambda said: watch(WaitingForStore(said))),
        keeping_checkpoints(root / CHECKPOINTS) as folder,
    ):
        remove_partial_files(root / RESULTS)
        if _last_changes(root) != moment:
            start = _find(pipeline, root)
        try:
            yield start
        except StepFailedError as error:
            if isinstance(error.__cause__, (ChecksumError, FormatError)):
                _forget_damaged(start, root, error)
                drop_checkpoints(folder)
            raise
        drop_checkpoints(folder)
        remove_plans(root / RESULTS)


@contextmanager
def staging_for_a_while() -> Iterator[None]:
    """Keep staged rows beside the checkpoints, where an interrupted run finds them again; they go when the steps within are done."""
    folder = checkpoint_folder()
    if folder is None:
        yield
        return
    with staging_folder(folder / STAGED) as staged:
        found = set(staged.iterdir())
        yield
    # What an interrupted run has left may be for steps that come later; it goes with the checkpoints.
    for left in set(staged.iterdir()) - found:
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _tidy(root: Path) -> None:
    """Remove what a run left that was killed in its last moment; where others write, or nobody may, it can stay."""
    left = [root / CHECKPOINTS, *root.glob(f"{RESULTS}/*/*/{PLAN_FILE}")]
    if any(each.exists() for each in left):
        with suppress(StoreError), writing(root):
            drop_checkpoints(root / CHECKPOINTS)
            remove_plans(root / RESULTS)


def _find(pipeline: Pipeline, root: Path) -> RunStart:
    inventory = take_inventory(root)
    planned = plan_pipeline(
        pipeline, checksums=inventory.checksums, earlier=inventory.results, columns=inventory.columns
    )
    opened: dict[str, xr.Dataset] = {}
    damaged: dict[str, str] = {}
    for each in planned:
        if each.done:
            try:
                opened[each.step.name] = open_result(root, step=each.step.name, fingerprint=each.fingerprint)
            except (ChecksumError, FormatError) as error:
                damaged[each.step.name] = str(error)
    steps = [replace(each, done=False, reason="damaged") if each.step.name in damaged else each for each in planned]
    need_gene_copy([each.step for each in steps if not each.done], pipeline.views, root)
    return RunStart(inventory, tuple(steps), opened, damaged)


def _forget_damaged(start: RunStart, root: Path, error: StepFailedError) -> None:
    """Large results are read only when a step needs them; one that turns out damaged is removed, so that the next run makes it anew."""
    for planned in start.planned:
        reason = damage_of_result(root, step=planned.step.name, fingerprint=planned.fingerprint)
        if reason:
            forget_result(root, step=planned.step.name, fingerprint=planned.fingerprint)
            error.add_note(f"The damaged result of step {planned.step.name!r} was removed; the next run makes it anew.")


def _last_changes(root: Path) -> dict[str, int]:
    groups = [*root.glob(f"*/{GROUP_FILE}"), *root.glob(f"*/*/{GROUP_FILE}"), *root.glob(f"results/*/*/{GROUP_FILE}")]
    return {str(file): file.stat().st_mtime_ns for file in groups}
