"""Tests of signatures and help of the survival commands."""

from __future__ import annotations

import pytest

COMMANDS = ("scan", "model", "km")


@pytest.mark.parametrize("command", COMMANDS)
def test_survival__every_command_explains_itself(chemores, capsys, command):
    assert chemores("survival", command, "--help") == 0
    shown = capsys.readouterr().out
    assert f"Usage: chemores survival {command}" in shown
    assert "--time-unit" in shown


def test_survival__help_names_the_commands(chemores, capsys):
    assert chemores("survival", "--help") == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in COMMANDS)


@pytest.mark.parametrize(
    "options", [["--ties", "exact"], ["--time-unit", "hours"], ["--unknown", "x"]], ids=lambda options: options[0]
)
def test_survival__wrong_usage_is_exit_code_2(chemores, capsys, tmp_path, options):
    files = ["--clinical", tmp_path / "c.csv", "--expression", tmp_path / "e.csv", "--time", "t", "--event", "e"]
    assert chemores("survival", "scan", *files, "--out", tmp_path / "out", *options) == 2
    assert "Usage" in capsys.readouterr().err
