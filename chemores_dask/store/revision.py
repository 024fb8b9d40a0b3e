"""The next state of a store: built beside the present one, put in its place by renames, and never seen half done.

::

    revision/
      plan.json        what is being made; written first
      new/             the parts that change, at their later places; shards that stay are hard links
      journal.json     all parts are there: from here on the change is only carried forward, and the store is not opened meanwhile
      old/             what was in their places
      finished.json    the former journal: the store is whole again, and the rest of this folder is being removed

A process that dies before the journal leaves the store as it was. One that dies behind it leaves a journal, and whoever writes into the
store next finishes the renames, whichever was the last.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chemores_dask.errors import StoreError
from chemores_dask.store.layout import GROUP_FILE, JOURNAL, PARTIAL_FILES, REVISION, group_attributes

PLAN = "plan.json"
FINISHED = "finished.json"
NEW = "new"
OLD = "old"
HISTORY = "revisions"
"""Attribute of the store: when cells were appended or withdrawn, and how many; never whose."""

WITHOUT_LINKS = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)


@dataclass(frozen=True)
class Change:
    """What is put in place together.

    Attributes
    ----------
    replaced
        Folders and files below ``new`` that take the place of those of the same name.
    removed
        Folders and files of the store that go.
    """

    replaced: Sequence[str]
    removed: Sequence[str] = ()


def new_folder(root: Path) -> Path:
    """Where the parts that change are written."""
    return root / REVISION / NEW


def read_plan(root: Path) -> dict[str, Any] | None:
    """What an unfinished revision was to make, or None if there is none."""
    return _read(root / REVISION / PLAN)


def pending(root: Path) -> dict[str, Any] | None:
    """The journal of a revision whose parts are all there, but which is not through; None if there is none."""
    folder = root / REVISION
    return _read(folder / JOURNAL) or _read(folder / FINISHED)


def begin(root: Path, plan: Mapping[str, Any]) -> bool:
    """Start a revision, or go on with one of the same plan.

    Parameters
    ----------
    root
        Of the store.
    plan
        Plain values that say what is to be made, and from what.

    Returns
    -------
    Whether an unfinished one of the same plan is there; any other is erased.
    """
    if read_plan(root) == json.loads(json.dumps(plan)):
        return True
    discard(root)
    (root / REVISION / NEW).mkdir(parents=True)
    _write(root / REVISION / PLAN, plan)
    return False


def discard(root: Path) -> None:
    """Erase an unfinished revision; the store is as it was."""
    folder = root / REVISION
    if folder.exists():
        (folder / PLAN).unlink(missing_ok=True)
        shutil.rmtree(folder)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file that never changes a second place; where the file system cannot, copy it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in WITHOUT_LINKS:
            raise
        shutil.copyfile(source, target)


def written_bytes(root: Path) -> int:
    """Size of what a revision wrote: all its new files but the links."""
    sizes = [file.stat() for file in new_folder(root).rglob("*") if file.is_file()]
    return sum(size.st_size for size in sizes if size.st_nlink == 1)


def note_in_history(root: Path, entry: Mapping[str, Any]) -> str:
    """Write the store's own description anew with one more entry in its history; returns its place for the change."""
    described = json.loads((root / GROUP_FILE).read_text(encoding="utf-8"))
    attributes = described.setdefault("attributes", {})
    attributes[HISTORY] = [*attributes.get(HISTORY, []), {"date": now(), **entry}]
    _write(new_folder(root) / GROUP_FILE, described)
    return GROUP_FILE


def read_history(root: Path) -> list[dict[str, Any]]:
    """When cells were appended or withdrawn, and how many."""
    return list((group_attributes(root) or {}).get(HISTORY, []))


def commit(root: Path, change: Change, *, report: Mapping[str, Any], command: str) -> None:
    """Put the parts of a revision in place, and remove what was there.

    Parameters
    ----------
    root
        Of the store, whose lock is held.
    change
        What is replaced and removed; all of it is written.
    report
        Plain values, for a call that finds the work done by another one.
    command
        For whoever must finish it.
    """
    plan = read_plan(root) or {}
    missing = [part for part in change.replaced if not (new_folder(root) / part).exists()]
    if missing:
        message = f"A revision must hold its parts before they are put in place. Missing: {', '.join(missing)}; run the same command again."
        raise StoreError(message)
    for torn in list(new_folder(root).rglob(PARTIAL_FILES)):
        torn.unlink()  # of an earlier call that was cut short
    journal = {
        "plan": plan,
        "replaced": list(change.replaced),
        "removed": list(change.removed),
        "report": report,
        "command": command,
    }
    _write(root / REVISION / JOURNAL, journal)
    roll_forward(root)


def roll_forward(root: Path) -> None:
    """Finish a revision whose parts are all there; without one, nothing happens.

    Every rename can be repeated: it is done where the new part is still in its folder.
    """
    folder = root / REVISION
    journal = _read(folder / JOURNAL)
    if journal is not None:
        for part in journal["replaced"]:
            _replace(folder / NEW / part, root / part, folder / OLD / part)
        for part in journal["removed"]:
            _put_away(root / part, folder / OLD / part)
        (folder / JOURNAL).replace(folder / FINISHED)
    if (folder / FINISHED).is_file():
        for name in (OLD, NEW):
            if (folder / name).exists():
                shutil.rmtree(folder / name)
        (folder / PLAN).unlink(missing_ok=True)
        (folder / FINISHED).unlink()
        with suppress(OSError):
            folder.rmdir()


def now() -> str:
    """The time, for people and records."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _replace(new: Path, place: Path, old: Path) -> None:
    if not new.exists():
        return
    if new.is_file():
        new.replace(place)
        return
    _put_away(place, old)
    place.parent.mkdir(parents=True, exist_ok=True)
    new.rename(place)


def _put_away(place: Path, old: Path) -> None:
    if place.exists():
        old.parent.mkdir(parents=True, exist_ok=True)
        place.rename(old)


def _read(file: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _write(file: Path, value: Mapping[str, Any]) -> None:
    # Whole or not at all: a torn journal would be worse than none.
    file.parent.mkdir(parents=True, exist_ok=True)
    torn = file.with_name(f"{file.name}.partial")
    with torn.open("w", encoding="utf-8") as opened:
        json.dump(value, opened, indent=2)
        opened.flush()
        os.fsync(opened.fileno())
    torn.replace(file)


def named(command: str, root: Path, arguments: Iterable[str] = ()) -> str:
    """A command as people type it."""
    return " ".join(["chemores", command, str(root), *arguments])
