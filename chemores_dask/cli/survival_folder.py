"""The folder of a survival command: everything in it at once, or nothing; and nothing of anybody else's is replaced."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chemores_dask.checks import listed
from chemores_dask.errors import InputError
from chemores_dask.workflow.run_files import RECORD

OWN = "survival "
"""Records of these commands name a pipeline that begins so."""


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A place to write files, which come into a folder together when all are written.

    Parameters
    ----------
    out
        The folder, made where absent. Files of an earlier survival command in it are replaced; the record comes last, so that a folder
        without it is not finished.

    Yields
    ------
    An empty folder beside the files, which goes when an error or an interruption ends the writing.

    Raises
    ------
    InputError
        If ``out`` is a file, cannot be written, or has a file of somebody else under a name that is written.
    """
    made = not out.exists()
    ours = check_folder(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(dir=out, prefix=".survival-", suffix=".part"))
    except OSError as error:
        message = f"Results go into a folder that can be written. {out} is not ({error.strerror}); choose another one (--out)."
        raise InputError(message) from error
    try:
        yield place
        _move_in(place, out, ours=ours)
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if made and not any(out.iterdir()):
            out.rmdir()


def check_folder(out: Path) -> bool:
    """Tell whether a folder holds the result of a survival command.

    Raises
    ------
    InputError
        If there is a file instead of a folder, or a record of something else.
    """
    if out.exists() and not out.is_dir():
        message = f"Results go into a folder. {out} is a file; choose another place (--out)."
        raise InputError(message)
    record = out / RECORD
    if not record.exists():
        return False
    if not _pipeline_of(record).startswith(OWN):
        message = (
            f"Results of a survival command replace those of another one only. {out} holds another run; choose another folder "
            "(--out)."
        )
        raise InputError(message)
    return True


def _pipeline_of(record: Path) -> str:
    try:
        described = json.loads(record.read_text(encoding="utf-8"))
    except ValueError:
        return ""
    return str(described.get("pipeline", "")) if isinstance(described, dict) else ""


def _move_in(place: Path, out: Path, *, ours: bool) -> None:
    written = sorted(path.relative_to(place) for path in place.rglob("*") if path.is_file())
    foreign = [] if ours else [str(path) for path in written if (out / path).exists()]
    if foreign:
        message = (
            f"Files that a survival command did not write are not replaced. {out} has {listed(foreign)}; choose another "
            "folder (--out)."
        )
        raise InputError(message)
    (out / RECORD).unlink(missing_ok=True)
    for path in sorted(written, key=lambda path: path == Path(RECORD)):
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).replace(out / path)
