"""Randomness by name."""

from __future__ import annotations

import numpy as np

from chemores_dask.simulation.generators import named_generator, numbered_keys


def test_named_generator__belongs_to_seed_and_names():
    first = named_generator(1, "a", "b").normal(size=3)
    np.testing.assert_array_equal(first, named_generator(1, "a", "b").normal(size=3))
    assert not np.array_equal(first, named_generator(2, "a", "b").normal(size=3))
    assert not np.array_equal(first, named_generator(1, "a", "c").normal(size=3))


def test_named_generator__takes_negative_seeds():
    assert named_generator(-1, "a").integers(2**60) != named_generator(1, "a").integers(2**60)


def test_numbered_keys__do_not_depend_on_the_range():
    whole = numbered_keys(5, "P01", start=0, stop=50)
    np.testing.assert_array_equal(whole[20:31], numbered_keys(5, "P01", start=20, stop=31))


def test_numbered_keys__differ_between_samples_and_seeds():
    keys = [numbered_keys(seed, name, start=0, stop=5000) for seed in (1, 2) for name in ("P01", "P02")]
    assert len(np.unique(np.concatenate(keys))) == 20_000
