"""A cohort with known truth, in the files that a laboratory would hold."""

from chemores_dask.simulation.design import SimulationDesign
from chemores_dask.simulation.write import simulate

__all__ = ["SimulationDesign", "simulate"]
