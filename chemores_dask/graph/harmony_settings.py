"""Settings of harmony."""

from __future__ import annotations

from dataclasses import dataclass

from chemores_dask.checks import check_between, check_whole


@dataclass(frozen=True)
class HarmonySettings:
    """How harmony iterates.

    Parameters
    ----------
    sigma
        Width of the clusters: cells belong to several where it is large.
    ridge
        Penalty on the squared shift of a batch in a cluster, in cells; None for ``ridge_share`` of the cells that are expected of the
        batch.
    ridge_share
        That share: a batch that is rare in a cluster is shifted less.
    update_share
        Share of the cells that take their turn at once: the others stand still meanwhile.
    iterations
        At most so many corrections.
    rounds
        At most so many times all cells take their turn before a correction.
    tolerance
        Iterations end when the objective falls by less than this share.
    round_tolerance
        Rounds end when the objective changes by less than this share.

    Raises
    ------
    ParameterError
        If a setting lies outside its range.
    """

    sigma: float = 0.1
    ridge: float | None = None
    ridge_share: float = 0.2
    update_share: float = 0.05
    iterations: int = 10
    rounds: int = 4
    tolerance: float = 1e-2
    round_tolerance: float = 1e-3

    def __post_init__(self) -> None:
        limits = {
            "sigma": (1e-3, 10.0),
            "ridge_share": (1e-6, 1e6),
            "update_share": (0.001, 0.5),
            "tolerance": (0.0, 1.0),
            "round_tolerance": (0.0, 1.0),
        }
        for name, (minimum, maximum) in limits.items():
            check_between(getattr(self, name), parameter=name, caller="harmony", minimum=minimum, maximum=maximum)
        if self.ridge is not None:
            check_between(self.ridge, parameter="ridge", caller="harmony", minimum=1e-6)
        check_whole(self.iterations, parameter="iterations", caller="harmony", minimum=1)
        check_whole(self.rounds, parameter="rounds", caller="harmony", minimum=1)

    @property
    def turns(self) -> int:
        """Turns of a round."""
        return max(round(1.0 / self.update_share), 2)
