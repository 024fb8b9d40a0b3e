"""Warnings of steps that run side by side."""

from __future__ import annotations

import threading
import warnings

from chemores_dask.workflow.warning_log import WarningLog, warning_as


def test_warning_log__puts_a_warning_down_for_the_step_that_gave_it():
    with WarningLog(["one", "two"]).listening() as log:
        with warning_as("one"):
            warnings.warn("thin", UserWarning, stacklevel=1)
            warnings.warn("thin", UserWarning, stacklevel=1)
        with warning_as("two"):
            warnings.warn("thick", RuntimeWarning, stacklevel=1)
    assert log.of("one") == ("UserWarning: thin",)
    assert log.of("two") == ("RuntimeWarning: thick",)


def test_warning_log__puts_a_warning_of_a_shared_pass_down_for_all_its_steps():
    with WarningLog(["one", "two"]).listening() as log:
        thread = threading.Thread(target=lambda: warnings.warn("shared", UserWarning, stacklevel=1))
        with warning_as("one"):
            thread.start()
            thread.join()
    assert log.of("one") == log.of("two") == ("UserWarning: shared",)


def test_warning_log__leaves_out_what_is_for_developers_and_restores_the_hook():
    before = warnings.showwarning
    with WarningLog(["one"]).listening() as log, warning_as("one"):
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert log.of("one") == ()
    assert warnings.showwarning is before
