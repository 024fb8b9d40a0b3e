"""The shape of the house: small files, small functions, imports at the top, tests where the modules are."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

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


def _functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]


def _code_lines(function: ast.FunctionDef) -> int:
    body = function.body
    documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    first = body[1].lineno if documented and len(body) > 1 else body[0].lineno
    return (function.end_lineno or first) - first + 1


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_module__is_small_and_says_what_it_holds(path):
    tree = ast.parse(path.read_text())
    assert len(path.read_text().splitlines()) <= MAXIMUM_LINES
    assert ast.get_docstring(tree), "a module starts with a docstring"
    assert path.stem not in BANNED_NAMES


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_module__has_small_functions(path):
    long = {f.name: _code_lines(f) for f in _functions(path) if _code_lines(f) > MAXIMUM_FUNCTION_LINES}
    assert not long


@pytest.mark.parametrize("path", [p for p in MODULES if _name(p) not in LAZY_DOORS], ids=_name)
def test_module__imports_at_the_top(path):
    hidden = [
        node.lineno
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


@pytest.mark.parametrize("path", TEST_FILES, ids=_name)
def test_test_file__is_small(path):
    assert len(path.read_text().splitlines()) <= MAXIMUM_TEST_LINES


@pytest.mark.parametrize("path", TEST_FILES, ids=_name)
def test_test_file__names_subject_and_claim(path):
    names = [f.name for f in _functions(path) if f.name.startswith("test_")]
    assert names
    assert not [name for name in names if "__" not in name.removeprefix("test_")]


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_module__swallows_no_errors(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: except names a class"
            body = node.body
            silent = len(body) == 1 and isinstance(body[0], ast.Pass)
            assert not silent, f"line {node.lineno}: an error is swallowed (contextlib.suppress says so on purpose)"
