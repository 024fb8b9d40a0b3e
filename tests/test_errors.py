"""The tree of errors: one root, builtin relatives, plain messages."""

from __future__ import annotations

import inspect
import pickle

import pytest

from chemores_dask import errors

CLASSES = [value for _, value in inspect.getmembers(errors, inspect.isclass) if value.__module__ == errors.__name__]
RELATIVES = {
    "BlockTooLargeError": MemoryError,
    "FormatError": ValueError,
    "InputError": ValueError,
    "MissingVariableError": KeyError,
    "PipelineFileError": ValueError,
    "StoreNotFoundError": FileNotFoundError,
}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_errors__have_one_root(kind):
    root = errors.ChemoresWarning if issubclass(kind, Warning) else errors.ChemoresError
    assert issubclass(kind, root)
    assert kind.__name__.endswith("Warning" if issubclass(kind, Warning) else "Error")
    assert inspect.getdoc(kind)


def test_errors__are_all_drawn_in_the_docstring():
    drawn = {line.split()[0] for line in errors.__doc__.splitlines() if line.startswith("    ") and line.strip()}
    assert drawn == {kind.__name__ for kind in CLASSES}


def test_errors__stand_below_their_parents_in_the_docstring():
    parents: list[tuple[int, str]] = []
    for line in errors.__doc__.splitlines():
        if not line.startswith("    ") or not line.strip():
            continue
        depth, name = len(line) - len(line.lstrip()), line.split()[0]
        parents = [parent for parent in parents if parent[0] < depth]
        if parents:
            assert issubclass(getattr(errors, name), getattr(errors, parents[-1][1]))
        parents.append((depth, name))


@pytest.mark.parametrize("name", RELATIVES)
def test_errors__are_caught_as_the_builtin_that_callers_expect(name):
    kind = getattr(errors, name)
    message = "something must hold"
    with pytest.raises(RELATIVES[name]):
        raise kind(message)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_errors__show_their_message_as_written(kind):
    message = "What must hold.\nGot 'this'."
    assert str(kind(message)) == message


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_errors__travel_between_processes(kind):
    again = pickle.loads(pickle.dumps(kind("a message")))
    assert (type(again), str(again)) == (kind, "a message")
