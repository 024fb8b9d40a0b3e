"""Calls that die by SIGKILL at the n-th change of the files of a store, each in a process of its own."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
from multiprocessing.context import ForkServerContext
from pathlib import Path

CHANGES = ("os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "os.truncate")
WRITING = os.O_WRONLY | os.O_RDWR
LONGEST = 300
JOURNAL = "journal.json"


class DyingProcesses:
    """Runs functions by name (``module:function``) in fresh processes; some of them die at a change of files below a folder."""

    def __init__(self) -> None:
        self.context: ForkServerContext = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["tests.store.killing", "chemores_dask.ingest.append_samples"])

    def call(self, function: str, *arguments: object, folder: object = "", die_at: int | None = None) -> object:
        """What the function returns; -9 if it was killed.

        Parameters
        ----------
        function
            ``module:function``.
        arguments
            For it.
        folder
            Whose changes are counted.
        die_at
            Number of the change before which the process dies. With None the number of all changes is returned, and that of the one
            which brings the journal.
        """
        receiver, sender = self.context.Pipe(duplex=False)
        process = self.context.Process(target=_perform, args=(sender, function, arguments, str(folder), die_at))
        process.start()
        sender.close()
        try:
            answer = receiver.recv()
        except EOFError:
            answer = -9
        process.join(LONGEST)
        if process.exitcode not in (0, -9):
            message = f"{function} ended with {process.exitcode}"
            raise AssertionError(message)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def _perform(sender, function, arguments, folder, die_at):
    counted = [0, 0]

    def hook(event, given):
        writes = event == "open" and isinstance(given[2], int) and given[2] & WRITING
        paths = [str(each) for each in given[:2] if isinstance(each, (str, os.PathLike))]
        # Names without a folder are those of files in a tree that is being removed.
        inside = any(path.startswith(folder) or (event in CHANGES and not Path(path).is_absolute()) for path in paths)
        if inside and (writes or event in CHANGES):
            counted[0] += 1
            if paths[0].endswith(f"{JOURNAL}.partial") and event == "os.rename":
                counted[1] = counted[0]
            if counted[0] == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    module, name = function.split(":")
    called = getattr(importlib.import_module(module), name)
    if folder:
        sys.addaudithook(hook)
    try:
        answer = called(*arguments)
    except Exception as error:  # noqa: BLE001 - the test gets it
        answer = error
    sender.send((answer, *counted) if folder and die_at is None else answer)
