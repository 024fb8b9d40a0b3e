"""The shape of the house: small files, small functions, imports at the top, tests where the modules are."""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "chemores_dask"
TESTS = ROOT / "tests"
MODULES = sorted(PACKAGE.rglob("*.py"))
TEST_FILES = sorted(TESTS.rglob("test_*.py"))
BANNED_NAMES = {"utils", "helpers", "common", "misc", "base", "core", "tools", "functions"}
MAXIMUM_LINES = 500
MAXIMUM_TEST_LINES = 500
MAXIMUM_FUNCTION_LINES = 60
WITHOUT_TESTS = {"__init__", "__main__", "aliases"}
LAZY_DOORS = {"chemores_dask/__init__.py", "chemores_dask/cli/main.py"}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def _functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(_tree(path)) if isinstance(node, ast.FunctionDef)]


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def _code_lines(function: ast.FunctionDef) -> int:
    body = function.body
    documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    first = body[1].lineno if documented and len(body) > 1 else body[0].lineno
    return (function.end_lineno or first) - first + 1


def test_modules__are_small_and_say_what_they_hold():
    assert not [_name(path) for path in MODULES if _lines(path) > MAXIMUM_LINES]
    assert not [_name(path) for path in MODULES if not ast.get_docstring(_tree(path))]
    assert not [_name(path) for path in MODULES if path.stem in BANNED_NAMES]


def test_modules__have_small_functions():
    lines = {f"{_name(path)}: {f.name}": _code_lines(f) for path in MODULES for f in _functions(path)}
    assert not {name: number for name, number in lines.items() if number > MAXIMUM_FUNCTION_LINES}


def test_modules__import_at_the_top():
    hidden = [
        f"{_name(path)}:{node.lineno}"
        for path in MODULES
        if _name(path) not in LAZY_DOORS
        for function in _functions(path)
        for node in ast.walk(function)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    assert not hidden


def test_modules__have_names_of_their_own():
    counted = Counter(path.stem for path in MODULES if path.stem not in {"__init__", "__main__"})
    assert not [name for name, times in counted.items() if times > 1]


def test_tests__mirror_the_package():
    expected = {
        TESTS / path.relative_to(PACKAGE).parent / f"test_{path.stem}.py"
        for path in MODULES
        if path.stem not in WITHOUT_TESTS and "testing" not in path.parts
    }
    missing = sorted(_name(path) for path in expected if not path.exists())
    assert not missing


def test_test_files__are_small():
    assert TEST_FILES
    assert not [_name(path) for path in TEST_FILES if _lines(path) > MAXIMUM_TEST_LINES]


def test_test_files__name_subject_and_claim():
    names = {path: [f.name for f in _functions(path) if f.name.startswith("test_")] for path in TEST_FILES}
    assert not [_name(path) for path, own in names.items() if not own]
    every = [(_name(path), name) for path, own in names.items() for name in own]
    assert not [(path, name) for path, name in every if "__" not in name.removeprefix("test_")]


def test_modules__swallow_no_errors():
    handlers = [
        (f"{_name(path)}:{node.lineno}", node)
        for path in MODULES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ExceptHandler)
    ]
    assert not [place for place, handler in handlers if handler.type is None], "except names a class"
    silent = [place for place, handler in handlers if len(handler.body) == 1 and isinstance(handler.body[0], ast.Pass)]
    assert not silent, "an error is swallowed (contextlib.suppress says so on purpose)"
