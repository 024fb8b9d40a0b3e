from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import ParameterError, PipelineFileError
from chemores_dask.gene_sets import GeneSets
from chemores_dask.workflow.arguments import bind_parameters, plain_parameters
from chemores_dask.workflow.steps import Reference

GENE_SETS = GeneSets.from_mapping({"stemness": ["CD44", "CD27"], "other": ["A"]})


@dataclass(frozen=True)
class Limits:
    least: int | None = None
    most: float = float("inf")

    def __post_init__(self):
        if self.least is not None and self.least < 0:
            message = "least must be at least 0."
            raise ParameterError(message)


def analysis(
    cells: object,
    gene_sets: GeneSets,
    *,
    method: Literal["seurat", "scanpy"],
    seed: int,
    share: float = 0.5,
    genes: Sequence[str] | np.ndarray | None = None,
    scale: bool = False,
    limits: Limits = Limits(),
    names: Mapping[str, str] | None = None,
    signatures: xr.Dataset | None = None,
    other: xr.Dataset | xr.DataArray | None = None,
):
    pytest.fail("parameters are bound to an analysis before it is called, never by calling it")


def bind(**given):
    return bind_parameters(analysis, given, gene_sets=GENE_SETS, seed=5, step="scores")


def test_bind_parameters__fills_in_defaults_and_the_seed():
    bound = bind(gene_sets=["stemness"], method="seurat")
    assert bound["gene_sets"].names == ("stemness",)
    assert bound["seed"] == 5
    assert (bound["share"], bound["genes"], bound["limits"]) == (0.5, None, Limits())


def test_bind_parameters__takes_all_gene_sets_that_fit_a_pattern():
    assert bind(gene_sets=["*"], method="seurat")["gene_sets"].names == ("stemness", "other")
    assert bind(gene_sets=["other", "ste*"], method="seurat")["gene_sets"].names == ("other", "stemness")
    with pytest.raises(PipelineFileError, match=r"must name gene sets of the pipeline. Got 'HALLMARK_\*'"):
        bind(gene_sets=["HALLMARK_*"], method="seurat")


def test_bind_parameters__prefers_the_seed_of_the_step():
    assert bind(gene_sets=["other"], method="scanpy", seed=9)["seed"] == 9


def test_bind_parameters__builds_dataclasses_and_keeps_references():
    reference = Reference("variable_genes", "gene_variable")
    bound = bind(gene_sets=["other"], method="scanpy", limits={"least": 3, "most": 4}, genes=reference)
    assert bound["limits"] == Limits(3, 4.0)
    assert bound["genes"] is reference


def test_bind_parameters__turns_lists_into_tuples():
    assert bind(gene_sets=["other"], method="scanpy", genes=["A", "B"])["genes"] == ("A", "B")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"methd": "seurat"}, "'scores' gives 'methd', which analysis does not take.*Did you mean method"),
        ({"method": "limma"}, "'method' of step 'scores' must be one of: seurat, scanpy. Got 'limma'"),
        ({"gene_sets": ["stemnes"]}, "must name gene sets of the pipeline. Got 'stemnes'.*Did you mean stemness"),
        ({"gene_sets": "stemness"}, "must be a list of names"),
        ({"seed": 1.5}, "'seed' .* must be a whole number"),
        ({"seed": True}, "'seed' .* must be a whole number"),
        ({"share": "half"}, "'share' .* must be a number"),
        ({"scale": 1}, "'scale' .* must be true or false"),
        ({"genes": "CD44"}, "'genes' .* must be a list"),
        ({"genes": [1]}, "'genes' .* must be text"),
        ({"names": ["a"]}, "'names' .* must be a table"),
        ({"limits": 3}, "'limits' .* must be a table"),
        ({"limits": {"leas": 3}}, "'limits' .* has no key 'leas'.*Did you mean least"),
        ({"limits": {"least": "3"}}, "key 'least', must be a whole number"),
        ({"limits": {"least": -1}}, "cannot be made into Limits. least must be at least 0"),
        ({"genes": Reference("chosen")}, "'genes' .* must be a reference to a variable .* Got '@chosen'"),
    ],
)
def test_bind_parameters__names_the_mistake(given, expected):
    with pytest.raises(PipelineFileError, match=expected):
        bind(**{"gene_sets": ["other"], "method": "seurat", **given})


def test_bind_parameters__names_what_is_missing():
    with pytest.raises(PipelineFileError, match="'gene_sets' of step 'scores' is required by analysis"):
        bind(method="seurat")


def test_bind_parameters__hands_on_whole_results_where_they_are_taken():
    whole = Reference("found")
    bound = bind(gene_sets=["other"], method="scanpy", signatures=whole, other=Reference("found", "t"))
    assert bound["signatures"] is whole
    assert bound["other"] == Reference("found", "t")
    assert bind(gene_sets=["other"], method="scanpy", other=whole)["other"] is whole
    assert plain_parameters(bound)["signatures"] == "@found"


def test_plain_parameters__are_what_a_fingerprint_takes():
    bound = bind(gene_sets=["stemness"], method="seurat", genes=Reference("a", "b"), limits={"least": 1})
    plain = plain_parameters(bound)
    assert plain["gene_sets"] == [{"name": "stemness", "up": ("CD44", "CD27"), "down": (), "weights": {}}]
    assert plain["genes"] == "@a.b"
    assert plain["limits"] == {"least": 1, "most": "inf"}
