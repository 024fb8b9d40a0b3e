"""One writer per store: who writes holds a lock of the operating system, which vanishes with its process. Readers need none."""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chemores_dask.aliases import StorePath
from chemores_dask.errors import StoreBusyError, StoreError
from chemores_dask.store.layout import LOCK_FILE, store_root
from chemores_dask.store.revision import roll_forward

WITHOUT_LIMIT = math.inf
"""For ``wait``: however long it takes."""

SECONDS_BETWEEN_TRIES = 0.2
REFUSED = (errno.EAGAIN, errno.EACCES)
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@dataclass
class _Held:
    """A lock of this process, and how many of its callers rest on it."""

    descriptor: int
    callers: int = 1
    made_folder: bool = False


_held: dict[Path, _Held] = {}
_guard = threading.Lock()


@contextmanager
def writing(store: StorePath, *, wait: float = 0.0, on_wait: Callable[[str], object] | None = None) -> Iterator[Path]:
    """Hold the lock of a store while something is written into it.

    Calls within each other in one process share the lock. Tasks that write chunks need none: whoever started them holds it. The lock
    belongs to the process and vanishes with it, however it ends.

    Parameters
    ----------
    store
        Path of the store; the folder is made if it is not there.
    wait
        Seconds to wait for another writer; ``WITHOUT_LIMIT`` for as long as it takes. Unless given, the call is refused at once.
    on_wait
        Called once with a sentence for people, if there is somebody to wait for.

    Yields
    ------
    Path of the store.

    Raises
    ------
    StoreBusyError
        If another process writes into the store.
    StoreError
        If the folder cannot be written, or its file system knows no locks.
    """
    root = Path(store)
    made_folder = not root.exists()
    path = _lock_path(root)
    _take(path, root, wait=wait, on_wait=on_wait)
    _held[path].made_folder |= made_folder
    try:
        roll_forward(root)  # whoever died while new cells were put in place
        yield root
    finally:
        _give_back(path)


def _lock_path(root: Path) -> Path:
    if root.exists() and (not root.is_dir() or any(each.name != LOCK_FILE for each in root.iterdir())):
        store_root(root)  # nothing is left in a folder that is no store
    return root.resolve() / LOCK_FILE


def _take(path: Path, root: Path, *, wait: float, on_wait: Callable[[str], object] | None) -> None:
    last = time.monotonic() + wait
    told = on_wait is None
    while not _taken(path, root):
        writer = _described(path)
        if time.monotonic() >= last:
            message = (
                f"One writer at a time may work on the store {str(root)!r}. It is in use by {writer}; wait until that ends and run the "
                "same command again, or let it wait (--wait). Reading is always possible."
            )
            raise StoreBusyError(message)
        if not told and on_wait is not None:
            on_wait(f"Waiting for the store {str(root)!r}, which is in use by {writer}.")
            told = True
        time.sleep(SECONDS_BETWEEN_TRIES)


def _taken(path: Path, root: Path) -> bool:
    with _guard:
        held = _held.get(path)
        if held is not None:
            held.callers += 1
            return True
        while True:
            try:
                descriptor = _open(path, root)
            except FileNotFoundError:  # whoever held it wrote nothing, and has just removed the folder that it made
                continue
            try:
                if not _try_lock(descriptor, root):
                    return False
                # Whoever held it may have removed the file since it was opened; the lock of a nameless file is worth nothing.
                if _is_at(path, descriptor):
                    _sign(descriptor)
                    _held[path] = _Held(descriptor)
                    return True
            finally:
                if path not in _held:
                    os.close(descriptor)


def _give_back(path: Path) -> None:
    with _guard:
        held = _held.get(path)
        if held is None:  # the child of a fork, which has no part in the lock of its parent
            return
        held.callers -= 1
        if not held.callers:
            del _held[path]
            with suppress(FileNotFoundError):  # the store itself was removed
                path.unlink()
            os.close(held.descriptor)
            if held.made_folder:
                with suppress(OSError):  # it is not empty, as it should be
                    path.parent.rmdir()


def _open(path: Path, root: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except FileNotFoundError:
        raise
    except OSError as error:
        message = (
            f"The folder of a store must be writable. {str(root)!r} is not ({error.strerror}); choose another path."
        )
        raise StoreError(message) from error


def _try_lock(descriptor: int, root: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in REFUSED:
            return False
        if error.errno in WITHOUT_LOCKS:
            message = (
                f"The file system of a store must know locks (flock), so that two writers cannot spoil it. That of {str(root)!r} does not "
                f"({error.strerror}); keep the store on a local disk, or mount the share with locks."
            )
            raise StoreError(message) from error
        raise
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _sign(descriptor: int) -> None:
    signed = {
        "process": os.getpid(),
        "host": platform.node(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200],
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(signed).encode(), 0)


def _described(path: Path) -> str:
    try:
        signed = json.loads(path.read_text(encoding="utf-8"))
        return f"process {signed['process']} on {signed['host']} ({signed['command']!r}, since {signed['since']})"
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return "another process"  # which has just come or gone


def _forget_locks() -> None:
    """In the child of a fork: its copies of the descriptors would keep the locks when the parent is gone."""
    for held in _held.values():
        with suppress(OSError):
            os.close(held.descriptor)
    _held.clear()
    _guard.release()


os.register_at_fork(before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_forget_locks)
