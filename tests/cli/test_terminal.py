from __future__ import annotations

import errno

import pytest

from chemores_dask.cli.terminal import TellingErrors, complain, safe, say, show_table
from chemores_dask.errors import ParameterError


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a/\x1b]0;title\x07b", "a/\\x1b]0;title\\x07b"),
        ("two\nlines", "two\nlines"),
        ("back\x08space\r", "back\\x08space\\r"),
        ("Größe ✓ [bold]", "Größe ✓ [bold]"),
        ("right\u202eleft", "right\\u202eleft"),
        ("bad\udcff", "bad\\udcff"),
    ],
)
def test_safe__leaves_nothing_that_a_terminal_obeys(given, shown):
    assert safe(given) == shown


def test_say__and_complain_keep_streams_apart(capsys):
    say("out")
    complain("err\x1b")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("out\n", "err\\x1b\n")


def test_show_table__prints_names_as_they_are(capsys):
    show_table(("name", "cells"), [("[red]sample[/red]", 3), ("\x1b[2J", 4)])
    shown = capsys.readouterr().out
    assert "[red]sample[/red]" in shown
    assert "\\x1b[2J" in shown


def tell(error, capsys, *, debug=False):
    with pytest.raises(SystemExit) as stopped, TellingErrors(debug=debug):
        raise error
    return stopped.value.code, capsys.readouterr().err


def test_telling_errors__prints_message_and_notes(capsys):
    error = ParameterError("It must be so. Got other.")
    error.add_note("In file a.")
    assert tell(error, capsys) == (1, "Error: It must be so. Got other.\nIn file a.\n")


def test_telling_errors__names_the_file_of_an_os_error(capsys):
    code, said = tell(PermissionError(13, "Permission denied", "/x\x1b"), capsys)
    assert code == 1
    assert said.endswith("Found: Permission denied (/x\\x1b); check the path.\n")


def test_telling_errors__points_to_debug_for_the_unexpected(capsys):
    code, said = tell(ZeroDivisionError("by zero"), capsys)
    assert code == 1
    assert "ZeroDivisionError: by zero" in said
    assert "--debug" in said


def test_telling_errors__says_how_to_go_on_after_an_interruption(capsys):
    code, said = tell(KeyboardInterrupt(), capsys)
    assert code == 130
    assert "run the same command again" in said


def test_telling_errors__lets_through_with_debug():
    with pytest.raises(ParameterError), TellingErrors(debug=True):
        raise ParameterError("It must be so.")  # noqa: EM101


def test_telling_errors__is_silent_after_success(capsys):
    with TellingErrors(debug=False):
        pass
    assert capsys.readouterr().err == ""


def test_telling_errors__says_how_to_mend_a_full_disk(capsys):
    with pytest.raises(SystemExit), TellingErrors(debug=False):
        raise OSError(errno.ENOSPC, "No space left on device", "shard")
    assert capsys.readouterr().err == (
        "Error: The disk must have room for what is written. Found: No space left on device (shard); free some space and run the "
        "same command again, it goes on from what is finished.\n"
    )
