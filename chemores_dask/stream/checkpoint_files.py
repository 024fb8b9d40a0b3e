"""Small values as files: arrays, numbers and text in any nesting, with a checksum, and without pickle (a store may come from others)."""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from chemores_dask.errors import FormatError

MAGIC = b"chemores checkpoint 1\n"
DIGEST_BYTES = 16
OWN_PACKAGE = __name__.partition(".")[0]
TREE = "tree"
ARRAY_KINDS = "biufcSU"


class UnknownValueError(TypeError):
    """A value of a kind that these files do not hold."""


def encode(value: Any) -> bytes:
    """Write a value as bytes.

    Parameters
    ----------
    value
        Numpy arrays and numbers, sparse matrices, plain numbers, text, None; tuples, lists, dictionaries, and dataclasses or named tuples
        of this package that hold them.

    Returns
    -------
    A checksum, and what it covers.

    Raises
    ------
    UnknownValueError
        If there is something else in it.
    """
    arrays: list[np.ndarray] = []
    tree = _described(value, arrays)
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(tree).encode(), dtype=np.uint8)
    named = {TREE: text, **{str(number): array for number, array in enumerate(arrays)}}
    np.savez(buffer, **named)  # type: ignore[arg-type, unused-ignore]
    content = buffer.getvalue()
    return MAGIC + hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest() + content


def decode(written: bytes) -> Any:
    """Read what :func:`encode` wrote.

    Raises
    ------
    FormatError
        If the bytes are others, or the package knows a class no more.
    """
    header = len(MAGIC) + DIGEST_BYTES
    content = memoryview(written)[header:]
    digest = hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()
    if written[:header] != MAGIC + digest:
        message = "A checkpoint must hold the bytes that were written. Its checksum does not fit; it is computed again."
        raise FormatError(message)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
            arrays = {name: loaded[name] for name in loaded.files}
        return _value(json.loads(arrays[TREE].tobytes()), arrays)
    except (KeyError, ValueError, TypeError, AttributeError, ImportError, zipfile.BadZipFile) as error:
        message = f"A checkpoint must be readable by this version. It is not ({error}); it is computed again."
        raise FormatError(message) from error


def write_file(file: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        beside.write_bytes(content)
        beside.replace(file)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _described(value: Any, arrays: list[np.ndarray]) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return ["plain", value]
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and type(value) is np.ndarray):
        return _described_array(value, arrays)
    if isinstance(value, int):
        return ["plain", value]
    if isinstance(value, float):
        return ["float", value.hex()]
    if isinstance(value, (sp.csr_matrix, sp.csr_array)):
        parts = [_described_array(part, arrays) for part in (value.data, value.indices, value.indptr)]
        return ["sparse", type(value).__name__, parts, [int(size) for size in value.shape]]
    if isinstance(value, Mapping) and type(value) is dict:
        return ["dict", [[_described(key, arrays), _described(item, arrays)] for key, item in value.items()]]
    if type(value) in (tuple, list):
        return [type(value).__name__, [_described(item, arrays) for item in value]]
    names = _field_names(value)
    if names is not None and type(value).__module__.partition(".")[0] == OWN_PACKAGE:
        held = [[name, _described(getattr(value, name), arrays)] for name in names]
        return ["object", type(value).__module__, type(value).__qualname__, held]
    message = f"Checkpoints hold arrays, numbers, text and containers of them. Got {type(value).__name__}."
    raise UnknownValueError(message)


def _described_array(value: np.ndarray | np.generic, arrays: list[np.ndarray]) -> Any:
    array = np.asarray(value)
    if array.dtype.kind not in ARRAY_KINDS:
        message = f"Checkpoints hold arrays of numbers or fixed text. Got {array.dtype}."
        raise UnknownValueError(message)
    arrays.append(array)
    return ["number" if isinstance(value, np.generic) else "array", str(len(arrays) - 1)]


def _field_names(value: Any) -> list[str] | None:
    if is_dataclass(value) and not isinstance(value, type):
        described = fields(value)
        return [each.name for each in described] if all(each.init for each in described) else None
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(value._fields)
    return None


def _value(tree: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    kind, *rest = tree
    if kind == "plain":
        return rest[0]
    if kind == "float":
        return float.fromhex(rest[0])
    if kind == "array":
        return arrays[rest[0]]
    if kind == "number":
        return arrays[rest[0]][()]
    if kind == "sparse":
        made = {"csr_matrix": sp.csr_matrix, "csr_array": sp.csr_array}[rest[0]]
        return made(tuple(_value(part, arrays) for part in rest[1]), shape=tuple(rest[2]))
    if kind == "dict":
        return {_value(key, arrays): _value(item, arrays) for key, item in rest[0]}
    if kind == "object":
        return _own_object(*rest, arrays=arrays)
    return {"tuple": tuple, "list": list}[kind](_value(item, arrays) for item in rest[0])


def _own_object(module: str, name: str, held: list[Any], *, arrays: Mapping[str, np.ndarray]) -> Any:
    if module.partition(".")[0] != OWN_PACKAGE:
        message = f"{module}.{name} is not of this package"
        raise ValueError(message)
    made = getattr(import_module(module), name)
    if not (isinstance(made, type) and (is_dataclass(made) or issubclass(made, tuple))):
        message = f"{module}.{name} is no class of values"
        raise ValueError(message)
    return made(**{field: _value(item, arrays) for field, item in held})
