"""``chemores simulate``: write the files of a cohort with known truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from chemores_dask.cli.run_progress import new_progress
from chemores_dask.cli.terminal import say
from chemores_dask.simulation.design import SimulationDesign
from chemores_dask.simulation.write import simulate


def perform(folder: Path, *, preset: str, seed: int, sizes: Mapping[str, int | None]) -> None:
    """Write a simulated cohort."""
    design = preset_design(preset, sizes=sizes)
    simulate_with_progress(folder, design=design, seed=seed)
    say(
        f"{design.cells:,} cells of {design.patients:,} patients, and a bulk cohort of {design.bulk_patients:,}",
        f"Sample sheet: {folder / 'samples.csv'}",
        f"Truth: {folder / 'truth'}",
    )


def preset_design(preset: str, *, sizes: Mapping[str, int | None]) -> SimulationDesign:
    """The design of a preset, with the sizes that a user gave."""
    presets = {
        "demo": SimulationDesign.demo,
        "tiny": SimulationDesign.tiny,
        "chemotherapy": SimulationDesign.chemotherapy,
        "null": SimulationDesign.demo().null,
    }
    given = {name: size for name, size in sizes.items() if size is not None}
    return replace(presets[preset](), **given)


def simulate_with_progress(folder: Path, *, design: SimulationDesign, seed: int) -> None:
    """Write a simulated cohort while showing how far it is."""
    with new_progress() as progress:
        task = progress.add_task("simulating", total=design.cells)

        def follow(done: int, expected: int) -> None:
            progress.update(task, completed=done, total=expected)

        simulate(folder, design=design, seed=seed, progress=follow)
