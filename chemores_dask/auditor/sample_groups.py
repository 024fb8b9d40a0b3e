"""The samples of a comparison, counted as patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from chemores_dask.auditor.study_design import PlannedContrast, StudyDesign

MISSING = "(missing)"


@dataclass(frozen=True)
class ComparedSamples:
    """Samples with one of two compared values.

    Attributes
    ----------
    table
        Their rows.
    value
        Which of the two each has, as text.
    patient
        Patient of each; the sample itself where patients are not known.
    first, second
        Patients with the first and with the second value, in order.
    """

    table: pd.DataFrame
    value: pd.Series
    patient: pd.Series
    first: tuple[str, ...]
    second: tuple[str, ...]

    @property
    def has_both_values(self) -> bool:
        """Whether there are samples of either value."""
        return bool(self.first) and bool(self.second)

    @property
    def both(self) -> tuple[str, ...]:
        """Patients with both values."""
        other = set(self.second)
        return tuple(name for name in self.first if name in other)

    @property
    def one(self) -> tuple[str, ...]:
        """Patients with one of the values only."""
        both = set(self.both)
        return tuple(name for name in dict.fromkeys([*self.first, *self.second]) if name not in both)


def compared_samples(design: StudyDesign, contrast: PlannedContrast) -> ComparedSamples:
    """Pick the samples of a comparison.

    Parameters
    ----------
    design
        The design.
    contrast
        The comparison.

    Returns
    -------
    The samples with either value.
    """
    texts = labels_of(design.samples[contrast.variable])
    takes_part = texts.isin([contrast.first, contrast.second]).to_numpy()
    for column, values in contrast.where:
        takes_part = takes_part & labels_of(design.samples[column]).isin(values).to_numpy()
    table = design.samples[takes_part]
    value = texts.loc[table.index]
    patient = patient_names(design).loc[table.index]
    first, second = (
        tuple(dict.fromkeys(patient[(value == label).to_numpy()])) for label in (contrast.first, contrast.second)
    )
    return ComparedSamples(table, value, patient, first, second)


def paired_samples(found: ComparedSamples) -> ComparedSamples:
    """Only the samples of patients with both values.

    Parameters
    ----------
    found
        The samples of a comparison.

    Returns
    -------
    Those that a comparison within patients uses.
    """
    kept = found.patient.isin(found.both).to_numpy()
    return ComparedSamples(found.table[kept], found.value[kept], found.patient[kept], found.both, found.both)


def patient_names(design: StudyDesign) -> pd.Series:
    """The patient of each sample; where the table does not tell, each sample stands for a patient of its own.

    Parameters
    ----------
    design
        The design.

    Returns
    -------
    Text, over the index of the samples.
    """
    if design.has_patients:
        return design.samples[design.columns.patient].astype(str)
    return pd.Series(
        [f"sample {number + 1}" for number in range(len(design.samples))], index=design.samples.index, dtype=object
    )


def labels_of(column: pd.Series) -> pd.Series:
    """A column as text, with a label of its own for what is missing.

    Parameters
    ----------
    column
        Any column of the samples.

    Returns
    -------
    Text.
    """
    return column.astype(object).where(column.notna(), MISSING).astype(str)


def counted(first: pd.Series, second: pd.Series) -> pd.DataFrame:
    """How often each pair of labels occurs.

    Parameters
    ----------
    first, second
        Labels of the same things.

    Returns
    -------
    Labels of the first by labels of the second.
    """
    rows, row_names = pd.factorize(np.asarray(first, dtype=object), sort=True)
    columns, column_names = pd.factorize(np.asarray(second, dtype=object), sort=True)
    counts = np.zeros((len(row_names), len(column_names)), dtype=np.int64)
    np.add.at(counts, (rows, columns), 1)
    return pd.DataFrame(counts, index=row_names, columns=column_names)
