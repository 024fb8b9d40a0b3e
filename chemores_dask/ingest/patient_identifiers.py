"""Which sample of an expression table belongs to which patient of a clinical table, where identifiers are not written alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from chemores_dask.checks import check_one_of, listed
from chemores_dask.errors import InputError


@dataclass(frozen=True)
class IdentifierMatches:
    """Patients of samples, and how each was found.

    Attributes
    ----------
    patient
        Patient of each sample that is used, in the order of the samples; no patient twice.
    manner
        How each of them was found: ``"equal"``, ``"punctuation"``, ``"case"``, ``"punctuation and case"``, or
        ``"suffix <suffix>"`` where one name goes on behind the other.
    unused
        Why a sample is not used, for samples of patients of which another is, or whose suffix was not asked for.
    samples_without_patient, patients_without_sample
        Those that nothing was found for.
    """

    patient: Mapping[str, str]
    manner: Mapping[str, str]
    unused: Mapping[str, str]
    samples_without_patient: tuple[str, ...]
    patients_without_sample: tuple[str, ...]

    def table(self) -> pd.DataFrame:
        """One row per sample that has a patient: ``sample``, ``patient``, ``manner``."""
        return pd.DataFrame(
            {
                "sample": list(self.patient),
                "patient": list(self.patient.values()),
                "manner": list(self.manner.values()),
            },
            dtype=object,
        )

    def summary(self) -> str:
        """How many patients were found in which manner, and how many not, as one sentence."""
        counts = Counter(
            manner.split(" ")[0] if manner.startswith("suffix") else manner for manner in self.manner.values()
        )
        ways = ", ".join(f"{number} {way}" for way, number in counts.items()) or "none"
        return (
            f"{len(self.patient)} patients have a sample ({ways}); {len(self.patients_without_sample)} patients have none, "
            f"{len(self.samples_without_patient)} samples have no patient, {len(self.unused)} samples are not used."
        )


def match_identifiers(
    samples: Sequence[str],
    patients: Sequence[str],
    *,
    suffix: str | None = None,
    several: Literal["refuse", "first"] = "refuse",
) -> IdentifierMatches:
    """Find the patient of each sample.

    Names belong together if they are equal; else if they differ in punctuation only (``.``, ``-``, ``_``, blanks, the X that
    R puts before a digit), in case only, or in both; else if the sample's name goes on behind the patient's, as
    ``TCGA-02-0001-01A-11R`` behind ``TCGA-02-0001`` (the longest such name counts); else if the patient's goes on behind the
    sample's with a code of two digits. Parts are compared whole: ``P10`` is no sample of ``P1``.

    Parameters
    ----------
    samples
        Names of samples, or columns among which samples are.
    patients
        Identifiers of the clinical table.
    suffix
        Of samples that go on behind the patient's name, only those that go on like this are used (``"01"`` for primary
        tumors of TCGA).
    several
        What happens to patients with several samples: ``"refuse"``, or ``"first"`` uses the first one in the order of
        ``samples``.

    Returns
    -------
    Patients by sample, and how each was found.

    Raises
    ------
    ParameterError
        If ``several`` is none of the two.
    InputError
        If names are repeated, a sample could belong to several patients, or a patient has several samples; the message
        names them.

    Examples
    --------
    >>> found = match_identifiers(["TCGA.02.0001.01A.11R", "tcga-02-0002", "gene"], ["TCGA-02-0001", "TCGA-02-0002"])
    >>> found.patient
    {'TCGA.02.0001.01A.11R': 'TCGA-02-0001', 'tcga-02-0002': 'TCGA-02-0002'}
    >>> found.manner
    {'TCGA.02.0001.01A.11R': 'suffix 01A-11R', 'tcga-02-0002': 'case'}
    """
    check_one_of(several, ("refuse", "first"), parameter="several", caller="match_identifiers")
    for what, names in (("Samples", samples), ("Patients", patients)):
        repeated = [name for name, times in Counter(names).items() if times > 1]
        if repeated:
            message = f"{what} must have names of their own. More than once: {listed(repeated)}; keep one each."
            raise InputError(message)
    candidates = candidate_patients(samples, patients)
    ambiguous = {sample: found for sample, (found, _) in candidates.items() if len(found) > 1}
    if ambiguous:
        pairs = listed(f"{sample} ({' or '.join(found)})" for sample, found in ambiguous.items())
        message = f"Every sample must belong to one patient. It could be another as well for {pairs}; rename them."
        raise InputError(message)
    patient = {sample: found[0] for sample, (found, _) in candidates.items()}
    manner = {sample: manner for sample, (_, manner) in candidates.items()}
    unused = {
        sample: f"its name goes on with {manner[sample].removeprefix('suffix ')}, not with {suffix.strip('-._')}"
        for sample in patient
        if suffix is not None and manner[sample].startswith("suffix ") and not _goes_on(manner[sample], suffix)
    }
    unused |= _more_than_one({s: p for s, p in patient.items() if s not in unused}, several)
    used = {sample: owner for sample, owner in patient.items() if sample not in unused}
    with_sample = set(used.values())
    return IdentifierMatches(
        patient=used,
        manner={sample: manner[sample] for sample in used},
        unused=unused,
        samples_without_patient=tuple(sample for sample in samples if sample not in patient),
        patients_without_sample=tuple(name for name in patients if name not in with_sample),
    )


def candidate_patients(samples: Sequence[str], patients: Sequence[str]) -> dict[str, tuple[list[str], str]]:
    """The patients that a sample could belong to, and in what manner, for samples that have any."""
    exact = set(patients)
    alike: dict[str, list[str]] = {}
    shortened: dict[str, list[tuple[str, str]]] = {}
    for name in patients:
        alike.setdefault(_folded(name), []).append(name)
        for beginning, rest in _beginnings(_folded(name)):
            if re.match(r"\d\d([A-Z]?(-|$))", rest):
                shortened.setdefault(beginning, []).append((name, rest))
    found: dict[str, tuple[list[str], str]] = {}
    for sample in samples:
        folded = _folded(sample)
        if sample in exact:
            found[sample] = ([sample], "equal")
        elif folded in alike:
            found[sample] = (alike[folded], _difference(sample, alike[folded][0]))
        else:
            prefix = next(((start, rest) for start, rest in _beginnings(folded) if start in alike), None)
            if prefix is not None:
                found[sample] = (alike[prefix[0]], f"suffix {prefix[1]}")
            elif folded in shortened:
                owners = shortened[folded]
                found[sample] = ([name for name, _ in owners], f"suffix {owners[0][1]} of the patient")
    return found


def _folded(name: str) -> str:
    return re.sub(r"[._\s-]+", "-", _without_mark(name)).upper()


def _without_mark(name: str) -> str:
    # R puts an X before a leading digit.
    return re.sub(r"^X(?=\d)", "", str(name).strip())


def _beginnings(folded: str) -> list[tuple[str, str]]:
    """Cut a name behind each of its parts, the longest beginning first; a letter behind two digits is a part, too."""
    cuts = [(place.start(), place.end()) for place in re.finditer(r"-|(?<=-\d\d)(?=[A-Z](-|$))", folded)]
    return [(folded[:start], folded[end:]) for start, end in reversed(cuts) if start]


def _difference(sample: str, patient: str) -> str:
    plain = [re.sub(r"[._\s-]+", "-", _without_mark(name)) for name in (sample, patient)]
    if plain[0] == plain[1]:
        return "punctuation"
    return "case" if sample.upper() == patient.upper() else "punctuation and case"


def _goes_on(manner: str, suffix: str) -> bool:
    return manner.removeprefix("suffix ").startswith(_folded(suffix).strip("-"))


def _more_than_one(patient: Mapping[str, str], several: str) -> dict[str, str]:
    owned: dict[str, list[str]] = {}
    for sample, owner in patient.items():
        owned.setdefault(owner, []).append(sample)
    repeated = {owner: names for owner, names in owned.items() if len(names) > 1}
    if repeated and several == "refuse":
        pairs = listed(f"{owner} ({', '.join(names)})" for owner, names in repeated.items())
        message = (
            f"Every patient must have one sample. More than one: {pairs}; keep one each, choose by suffix=…, or take the first "
            "with several='first'."
        )
        raise InputError(message)
    return {name: f"{names[0]} is used for {owner}" for owner, names in repeated.items() for name in names[1:]}
