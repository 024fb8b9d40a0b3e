"""Settings of the Cox scan."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from chemores_dask.checks import check_one_of, check_whole

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
