"""How far the variables of the samples go together, counted over patients where they belong to patients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from chemores_dask.aliases import Matrix
from chemores_dask.auditor.sample_groups import counted, labels_of, patient_names
from chemores_dask.auditor.study_design import StudyDesign
from chemores_dask.kernels.association import cramers_v, goodman_kruskal_tau


@dataclass(frozen=True)
class Association:
    """How far two variables go together.

    Attributes
    ----------
    cramers_v
        Corrected for bias.
    tau_first, tau_second
        Goodman and Kruskal's tau: share of the wrong guesses of the first (second) variable that knowing the other saves.
    units, unit
        What was counted.
    """

    cramers_v: float
    tau_first: float
    tau_second: float
    units: int
    unit: str


@dataclass(frozen=True)
class Associations:
    """Associations of all pairs of variables.

    Attributes
    ----------
    variables
        Columns of the samples with few enough values to be counted.
    by_pair
        Association by the positions of two different variables, the smaller first.
    """

    variables: tuple[str, ...]
    by_pair: dict[tuple[int, int], Association]

    def pairs(self) -> Iterator[tuple[str, str, Association]]:
        """Both names and the association of each pair."""
        for (first, second), found in self.by_pair.items():
            yield self.variables[first], self.variables[second], found

    def cramers_v(self) -> Matrix:
        """Cramer's V as a symmetric matrix."""
        matrix = np.eye(len(self.variables))
        for (first, second), found in self.by_pair.items():
            matrix[first, second] = matrix[second, first] = found.cramers_v
        return matrix

    def tau(self) -> Matrix:
        """Goodman and Kruskal's tau: the variable of the row tells that of the column."""
        matrix = np.eye(len(self.variables))
        for (first, second), found in self.by_pair.items():
            matrix[first, second], matrix[second, first] = found.tau_second, found.tau_first
        return matrix

    def counted_units(self) -> Matrix:
        """What kind of unit was counted in each pair, as text; on the diagonal, nothing."""
        matrix = np.full((len(self.variables), len(self.variables)), "", dtype=object)
        for (first, second), found in self.by_pair.items():
            matrix[first, second] = matrix[second, first] = f"{found.unit}s"
        return matrix

    def units(self) -> Matrix:
        """What was counted in each pair; on the diagonal, 0."""
        matrix = np.zeros((len(self.variables), len(self.variables)), dtype=np.int64)
        for (first, second), found in self.by_pair.items():
            matrix[first, second] = matrix[second, first] = found.units
        return matrix


def find_associations(design: StudyDesign) -> Associations:
    """Hold all variables of the samples against each other.

    Variables with numbers that are not whole, with a value of its own for more than half of the units, or with one value only, are left
    out, as are the sample, its patient and its number of cells. A pair is counted where both are known.

    Parameters
    ----------
    design
        The design.

    Returns
    -------
    Associations of all pairs. A pair of variables that belong to patients is counted over patients.
    """
    columns, table = design.columns, design.samples
    ignored = {columns.sample, columns.patient, columns.cells, columns.female_counts, columns.male_counts}
    patient = patient_names(design)
    labels = {
        str(name): labels_of(table[name])
        for name in table.columns
        if str(name) not in ignored and _is_countable(table[name])
    }
    known = {name: table[name].notna().to_numpy() for name in labels}
    owners = patient.to_numpy()
    of_patient = {
        name: bool((values == values.groupby(owners).transform("first")).all()) for name, values in labels.items()
    }
    once = ~patient.duplicated().to_numpy()
    kept = [
        name
        for name, values in labels.items()
        if 2 <= values[known[name]].nunique() <= (known[name] & (once if of_patient[name] else True)).sum() / 2
    ]
    by_pair = {}
    for first, one in enumerate(kept):
        for second in range(first + 1, len(kept)):
            other = kept[second]
            over_patients = design.has_patients and of_patient[one] and of_patient[other]
            rows = known[one] & known[other] & (once if over_patients else True)
            crossed = counted(labels[one][rows], labels[other][rows]).to_numpy()
            by_pair[first, second] = Association(
                cramers_v=cramers_v(crossed),
                tau_first=goodman_kruskal_tau(crossed.T),
                tau_second=goodman_kruskal_tau(crossed),
                units=int(rows.sum()),
                unit="patient" if over_patients else "sample",
            )
    return Associations(tuple(kept), by_pair)


def _is_countable(column: pd.Series) -> bool:
    if column.dtype.kind == "f":
        known = column.dropna().to_numpy()
        return bool((known == np.floor(known)).all())
    return column.dtype.kind not in "mM"
