from __future__ import annotations

import subprocess
import sys
import time

import pytest

from chemores_dask.cli import main as main_module
from chemores_dask.errors import ParameterError

HEAVY = ("numba", "dask", "pandas", "anndata", "zarr", "xarray", "matplotlib", "scipy", "distributed")
COMMANDS = [
    "simulate",
    "ingest",
    "ingest-patients",
    "run",
    "info",
    "results",
    "verify",
    "by-gene",
    "version",
    "demo",
    "audit",
]


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)


def test_main__help_answers_within_a_second():
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "chemores_dask.cli.main", "--help"], capture_output=True, check=True, timeout=60
        )
        seconds.append(time.perf_counter() - begun)
        if seconds[-1] < 1:
            break
    assert min(seconds) < 1


def test_main__loads_nothing_heavy_for_help():
    loaded = python(
        "import sys\nfrom chemores_dask.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    ).stdout
    assert loaded.splitlines()[-1] == "HEAVY []"


def test_main__help_names_every_command(chemores, capsys):
    assert chemores("--help") == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_main__every_command_explains_itself(chemores, capsys, command):
    assert chemores(command, "--help") == 0
    assert "Usage: chemores" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["runn"], ["run"], ["run", "x", "--store", "y"], ["info"], ["simulate", "x", "--preset", "big"]]
)
def test_main__wrong_usage_is_exit_code_2(chemores, capsys, arguments):
    assert chemores(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Usage" in captured.err


def test_main__version_is_that_of_the_package(chemores, capsys):
    assert chemores("version") == 0
    assert capsys.readouterr().out.strip()[0].isdigit()


def test_main__an_error_is_one_message_without_traceback(chemores, capsys, tmp_path):
    assert chemores("info", tmp_path / "none\x1b[31m.zarr") == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("Error: ")
    assert captured.err.count("\n") == 1
    assert "\x1b" not in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("place", [0, 2])
def test_main__debug_lets_the_error_through_wherever_it_stands(tmp_path, place):
    arguments = ["info", str(tmp_path / "none.zarr")]
    arguments.insert(place, "--debug")
    with pytest.raises(FileNotFoundError, match=r"none.zarr"):
        main_module.main(arguments)


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (ParameterError("no."), 1), (RuntimeError("no"), 1)]
)
def test_main__exit_codes(chemores, capsys, monkeypatch, error, code):
    def fail(*nouns, **options):
        raise error

    monkeypatch.setattr("chemores_dask.cli.results_command.perform", fail)
    assert chemores("results", "x") == code
    said = capsys.readouterr().err
    assert ("run the same command again" in said) == (code == 130)
