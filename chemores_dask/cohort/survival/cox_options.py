"""Settings of the Cox scan and of Cox models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from chemores_dask.checks import check_between, check_one_of, check_whole
from chemores_dask.errors import ParameterError
from chemores_dask.kernels.spline_basis import FEWEST_KNOTS, MOST_KNOTS

TIES = ("efron", "breslow")


@dataclass(frozen=True)
class ScanOptions:
    """How the Cox model of each gene is fitted.

    Attributes
    ----------
    ties
        Treatment of tied events: ``"efron"`` or ``"breslow"``.
    weights
        Variable with the weight of each patient, above 0.
    cluster
        Variable: patients of the same cluster are not independent. Robust standard errors are given, and decide.
    interaction
        Variable with the treatment whose interaction with the gene is wanted: numbers, booleans, or text of two values.
    max_iterations
        Most Newton steps for one gene.
    """

    ties: str = "efron"
    weights: str | None = None
    cluster: str | None = None
    interaction: str | None = None
    max_iterations: int = 50

    def __post_init__(self) -> None:
        check_one_of(self.ties, TIES, parameter="ties", caller="ScanOptions")
        check_whole(self.max_iterations, parameter="max_iterations", caller="ScanOptions", minimum=1)

    def plain(self) -> dict[str, object]:
        """The options as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class ModelOptions:
    """How a Cox model is fitted.

    Attributes
    ----------
    ties
        Treatment of tied events: ``"efron"`` or ``"breslow"``.
    weights
        Variable with the weight of each patient, above 0.
    cluster
        Variable: patients of the same cluster are not independent, and standard errors are robust to that.
    robust
        Whether standard errors are the robust ones of Lin and Wei. None: where there is a cluster, or a weight that is no whole number (as
        R's ``coxph`` does).
    firth
        Whether Firth's penalty is added to the likelihood: coefficients stay finite where covariates separate the patients.
    splines
        Number of knots (3 to 7) of each numeric covariate that enters as a restricted cubic spline.
    level
        Coverage of limits.
    """

    ties: str = "efron"
    weights: str | None = None
    cluster: str | None = None
    robust: bool | None = None
    firth: bool = False
    splines: Mapping[str, int] = field(default_factory=dict)
    level: float = 0.95

    def __post_init__(self) -> None:
        check_one_of(self.ties, TIES, parameter="ties", caller="ModelOptions")
        check_between(self.level, parameter="level", caller="ModelOptions", minimum=0.01, maximum=0.9999)
        for name, knots in self.splines.items():
            check_whole(
                knots, parameter=f"splines[{name!r}]", caller="ModelOptions", minimum=FEWEST_KNOTS, maximum=MOST_KNOTS
            )
        if self.cluster is not None and self.robust is False:
            message = "Clusters need robust standard errors. Got a cluster and robust=False; leave one of them out."
            raise ParameterError(message)

    def plain(self) -> dict[str, object]:
        """The options as plain values."""
        return {
            "ties": self.ties,
            "weights": self.weights,
            "cluster": self.cluster,
            "robust": self.robust,
            "firth": self.firth,
            "splines": dict(self.splines),
            "level": self.level,
        }
