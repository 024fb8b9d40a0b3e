"""Kills ingests and runs at random points, starts them again, and holds what they leave against an undisturbed one.

A script of its own, so that the processes it forks have no threads behind them: ``python kill_harness.py FOLDER --kills 40 --seed 1``
prints what happened as JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import dask
import numpy as np

from chemores_dask import metering
from chemores_dask.ingest.convert import ingest
from chemores_dask.simulation.design import SimulationDesign
from chemores_dask.simulation.write import simulate
from chemores_dask.store import cells as cells_module
from chemores_dask.store import datasets
from chemores_dask.store.cells_writer import CellsWriter
from chemores_dask.store.layout import GROUP_FILE, LOCK_FILE, Geometry
from chemores_dask.store.patients import write_patients
from chemores_dask.store.results import list_results
from chemores_dask.testing.examples import EXAMPLES, make_noun
from chemores_dask.testing.nouns import tiny_patients
from chemores_dask.workflow.events import StepStarted
from chemores_dask.workflow.pipeline_file import read_pipeline
from chemores_dask.workflow.runner import run_pipeline

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.pipeline_texts import SCORED_STATES, VIEWS

ROWS = 32
"""Rows of a block and of a chunk of a result: the cohort has a dozen of each."""

THREADS = 2
CHANGING = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link")
PIPELINE = f"""
[pipeline]
name = "short"
title = "Every kind of step"
seed = 3
[[gene_set]]
name = "signature"
up = ["CD44", "CD27", "BCL2", "MCL1", "KLF2", "KLF6", "FOS", "JUN"]
{VIEWS}[[step]]
name = "quality"
analysis = "quality"
of = "cells"
[[step]]
name = "chosen"
analysis = "variable_genes"
of = "kept"
[step.parameters]
method = "seurat_v3"
genes = 60
[[step]]
name = "components"
analysis = "pca"
of = "normalized"
[step.parameters]
components = 5
genes = "@chosen.gene_variable"
{SCORED_STATES}"""


class Died(Exception):  # noqa: N818
    """A child ended otherwise than by success or by our kill."""


def make_small() -> None:
    """Cut a small cohort into many blocks, chunks and shards; keep all threads out of this process, which forks."""
    CellsWriter.open.__func__.__kwdefaults__["geometry"] = Geometry(2**10, 2**13)
    datasets.RESULT_ROWS = ROWS
    opened = cells_module.open_cells

    def open_small(store, *, columns=None, rows_per_block=None):
        return opened(store, columns=columns, rows_per_block=rows_per_block or ROWS)

    for module in [module for module in sys.modules.values() if getattr(module, "open_cells", None) is opened]:
        module.open_cells = open_small
    dask.config.set(scheduler="threads", num_workers=THREADS)


def warm_up():
    """Call every analysis once, so that children find kernels compiled; nothing here starts threads, which a fork would lose."""
    with dask.config.set(scheduler="synchronous"):
        for example in [example for example in EXAMPLES if f'analysis = "{example.name}"' in PIPELINE]:
            example.call(make_noun(example)).compute()


class Child:
    """One process that does the work, and what it reported before it ended.

    Parameters
    ----------
    work
        What it does.
    folder
        Where it works: events outside are not counted.
    kill_at
        Number of the change of a file before which it kills itself; 0 for never.
    """

    def __init__(self, work, *, folder, kill_at=0, kill_after=0.0):
        self.lines = []
        self.started = time.monotonic()
        reading, writing = os.pipe()
        self.process = os.fork()
        if not self.process:
            os.close(reading)
            self._live(work, folder, kill_at, writing)
        os.close(writing)
        if kill_after:
            time.sleep(kill_after)
            os.kill(self.process, signal.SIGKILL)
        with os.fdopen(reading) as pipe:
            self.lines = [line.split() for line in pipe.read().splitlines()]
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        self.seconds = time.monotonic() - self.started
        if self.code not in (0, -signal.SIGKILL):
            msg = f"exit code {self.code}: {self.lines[-3:]}"
            raise Died(msg)

    @property
    def killed(self):
        return self.code != 0

    def of(self, kind):
        return [rest for first, *rest in self.lines if first == kind]

    def _live(self, work, folder, kill_at, pipe):
        changes = [0]

        def tell(*words):
            os.write(pipe, (" ".join(map(str, words)) + "\n").encode())

        def look(event, arguments):
            if event not in CHANGING or not str(arguments[0]).startswith(str(folder)):
                return
            if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
                return
            changes[0] += 1
            if changes[0] == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)

        count = metering.count

        def counted(**numbers):
            if metering.BLOCKS_DECODED in numbers:
                tell("block")
            count(**numbers)

        cells_module.count = counted
        try:
            sys.addaudithook(look)
            work(tell)
            tell("changes", changes[0])
            code = 0
        except BaseException as error:  # noqa: BLE001
            tell("error", repr(error).replace("\n", " ")[:500])
            code = 1
        os._exit(code)


def result_digests(store):
    """Everything that a store holds, without times and places: names of files and their content."""
    found = {}
    for file in sorted(store.rglob("*")):
        if not file.is_file() or file.name == LOCK_FILE:  # left by a killed process, and worth nothing
            continue
        name = file.relative_to(store).as_posix()
        content = file.read_bytes()
        if file.name == GROUP_FILE:
            described = json.loads(content)
            for changing in ("started", "finished", "host", "attributes_digest"):
                described.get("attributes", {}).pop(changing, None)
            described.get("attributes", {}).pop("warnings", None)
            content = json.dumps(described, sort_keys=True).encode()
        found[name] = hashlib.blake2b(content, digest_size=8).hexdigest()
    return found


def differences(found, wanted):
    return sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))


def torn_on_purpose(work, store, *, wanted, kills, random_kill, finished=set, bound=0, whole_blocks=0):
    """Kill some work until it has been killed as often as wanted, let it finish, and look at what it left."""
    blocks = 0
    repeated = []
    done = 0
    while True:
        before = finished()
        child = Child(work, folder=store, **(random_kill() if done < kills else {}))
        blocks += len(child.of("block"))
        repeated += [step for (step,) in child.of("step") if step in before]
        done += child.killed
        if not child.killed:
            break
    wrong = differences(result_digests(store), wanted)
    allowed = whole_blocks + bound * done
    return {"kills": done, "wrong": wrong, "repeated": repeated, "blocks": blocks, "too_many": max(blocks - allowed, 0)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ingest-kills", type=int, default=25)
    parser.add_argument("--run-kills", type=int, default=40)
    parser.add_argument("--per-sequence", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    make_small()
    chance = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    files = folder / "files"
    design = replace(SimulationDesign.tiny(), patients=3, cells_per_sample=70)
    store, out = folder / "cohort.zarr", folder / "out"

    warm_up()

    def prepare(tell):
        simulate(files, design=design, seed=1)

    Child(prepare, folder=files)
    (folder / "pipeline.toml").write_text(PIPELINE)
    pipeline = read_pipeline(folder / "pipeline.toml")

    def take_in(tell):
        ingest(files / "samples.csv", store)

    def patients(tell):
        write_patients(tiny_patients(), store, cohort="trial")

    def run(tell):
        def watch(event):
            if isinstance(event, StepStarted):
                tell("step", event.name)

        run_pipeline(pipeline, store, out=out, watch=watch)

    def finished_steps():
        return {entry.step for entry in list_results(store) if entry.complete}

    def chooser(changes, seconds):
        def choose():
            # Mostly before a change of a file, where little is left to luck; sometimes at any moment, in the middle of a write too.
            if chance.random() < 0.7:
                return {"kill_at": chance.randint(1, changes)}
            return {"kill_after": chance.uniform(0.02, seconds)}

        return choose

    sums = {}
    started = time.monotonic()
    whole = Child(take_in, folder=store)
    wanted = result_digests(store)
    changes, seconds = int(whole.of("changes")[0][0]), whole.seconds
    sums["ingest"] = {"changes": changes, "seconds": seconds, "sequences": []}
    kills = 0
    while kills < options.ingest_kills:
        shutil.rmtree(store)
        left = min(options.per_sequence, options.ingest_kills - kills)
        found = torn_on_purpose(take_in, store, wanted=wanted, kills=left, random_kill=chooser(changes, seconds))
        kills += found["kills"]
        sums["ingest"]["sequences"].append(found)
    Child(patients, folder=store)
    shutil.copytree(store, folder / "fresh.zarr")
    whole = Child(run, folder=store)
    wanted = result_digests(store)
    changes, seconds = int(whole.of("changes")[0][0]), whole.seconds
    blocks = len(whole.of("block"))
    sums["run"] = {"changes": changes, "seconds": seconds, "blocks": blocks, "sequences": []}
    kills = 0
    while kills < options.run_kills:
        shutil.rmtree(store)
        shutil.copytree(folder / "fresh.zarr", store)
        left = min(options.per_sequence, options.run_kills - kills)
        found = torn_on_purpose(
            run, store, wanted=wanted, kills=left, random_kill=chooser(changes, seconds),
            finished=finished_steps, bound=THREADS, whole_blocks=blocks,
        )  # fmt: skip
        kills += found["kills"]
        sums["run"]["sequences"].append(found)
    sums["kills"] = sum(each["kills"] for part in ("ingest", "run") for each in sums[part]["sequences"])
    sums["seconds"] = round(time.monotonic() - started, 1)
    sums["numpy"] = np.__version__
    print(json.dumps(sums))


if __name__ == "__main__":
    main()
