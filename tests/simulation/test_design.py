"""What may be planted."""

from __future__ import annotations

import dataclasses

import pytest

from chemores_dask.errors import ParameterError
from chemores_dask.simulation.design import SimulationDesign


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("patients", 0),
        ("patients", 2.5),
        ("patients", True),
        ("cells_per_sample", -1),
        ("genes", 0),
        ("bulk_patients", 0),
        ("bulk_patients", 9),
        ("bulk_noise", 0.0),
        ("stem_share_after", 1.2),
        ("stem_share_before", 0.0),
        ("damaged_share", -0.1),
        ("cycling_share", float("nan")),
        ("depth_median", 0.0),
        ("dispersion", -1.0),
        ("stemness_effect", 1e6),
        ("event_share", 1.0),
        ("formats", "loom"),
        ("before", ""),
        ("after", "../relapse"),
        ("subtypes", ()),
        ("subtypes", ("a/b",)),
        ("mitochondrial_share", 0.8),
    ],
)
def test_design__refuses_what_cannot_be(name, value):
    with pytest.raises(ParameterError):
        SimulationDesign(**{name: value})


def test_design__refuses_stages_of_one_name():
    with pytest.raises(ParameterError, match="different names"):
        SimulationDesign(before="relapse")


def test_design__names_the_parameter_and_its_limits():
    with pytest.raises(ParameterError, match=r"'patients'.*at least 1.*Got 0"):
        SimulationDesign(patients=0)


def test_null__leaves_sizes_and_takes_effects():
    null = SimulationDesign.demo().null()
    assert null.is_null
    assert not SimulationDesign.demo().is_null
    assert null.stem_share_after == null.stem_share_before
    assert null.stemness_hazard == null.batch_spread == null.resistance_effect == 0
    sizes = ("patients", "cells_per_sample", "genes", "bulk_patients")
    assert all(getattr(null, name) == getattr(SimulationDesign.demo(), name) for name in sizes)


@pytest.mark.parametrize("preset", [SimulationDesign.demo, SimulationDesign.tiny, SimulationDesign.chemotherapy])
def test_presets__are_valid_and_planted(preset):
    design = preset()
    assert not design.is_null
    assert design.cells == 2 * design.patients * design.cells_per_sample


def test_design__is_documented_field_by_field():
    documented = SimulationDesign.__doc__
    assert all(field.name in documented for field in dataclasses.fields(SimulationDesign))
