"""What is planted in a simulated cohort: every size and every effect, with defaults."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from chemores_dask.checks import check_between, check_one_of, check_whole
from chemores_dask.errors import ParameterError

FORMATS = ("auto", "alternate", "mtx", "h5")
_CALLER = "SimulationDesign"
_COUNTS = ("patients", "cells_per_sample", "genes", "bulk_genes", "batches")
_SHARES = ("damaged_share", "cycling_share", "stem_cycling_share")
_INNER_SHARES = (
    "stem_share_before",
    "stem_share_after",
    "malignant_share_before",
    "malignant_share_after",
    "axis_mean_before",
    "axis_mean_after",
    "mitochondrial_share",
    "ribosomal_share",
    "event_share",
)
_SPREADS = (
    "stem_share_spread",
    "malignant_share_spread",
    "depth_spread",
    "dispersion",
    "gene_spread",
    "state_spread",
    "patient_spread",
    "batch_spread",
    "sample_spread",
    "bulk_module_spread",
)
_EFFECTS = (
    "stemness_effect",
    "resistance_effect",
    "cycle_effect",
    "stemness_hazard",
    "resistance_hazard",
    "stemness_response",
    "resistance_response",
)
_POSITIVE = ("depth_median", "axis_concentration", "follow_up_median", "hazard_shape")
_LARGEST_EFFECT = 10.0
_FEWEST_BULK_PATIENTS = 10
_LEAST_NOISE = 0.01


@dataclass(frozen=True)
class SimulationDesign:
    """Sizes and effects of a simulated cohort.

    Attributes
    ----------
    patients
        Patients with a sample at each of two stages.
    cells_per_sample
        Cells in each sample.
    genes
        Genes measured in cells.
    before, after
        Names of the two stages.
    subtypes
        Names of subtypes, given to patients in turn.
    batches
        Batches; both samples of a patient belong to the same one.
    formats
        ``"mtx"`` for 10x folders, ``"h5"`` for 10x HDF5 files (written three times as fast), ``"alternate"`` for both in turn;
        ``"auto"`` alternates up to 10,000 cells a sample and writes HDF5 above.
    malignant_share_before, malignant_share_after
        Mean share of malignant cells at each stage.
    malignant_share_spread
        Standard deviation of its logit over samples.
    stem_share_before, stem_share_after
        Mean share of stem-like cells among the malignant ones at each stage.
    stem_share_spread
        Standard deviation of its logit over samples; half of the variance is shared by both samples of a patient.
    stemness_effect
        Log fold of the stemness genes in stem-like cells over the other malignant states.
    resistance_effect
        Log fold of the resistance genes between the ends, 0 and 1, of the resistance axis of malignant cells.
    axis_mean_before, axis_mean_after, axis_concentration
        Beta distribution of the position on the resistance axis: mean per stage, and sum of both shape parameters.
    cycling_share, stem_cycling_share
        Share of cells in S or G2M phase among malignant cells that are not stem-like, and among stem-like ones.
    cycle_effect
        Log fold of the genes of a phase in cells of that phase.
    depth_median, depth_spread
        Library sizes are log-normal: median count, and standard deviation of the logarithm.
    dispersion
        Variance of the gamma noise: a count of mean m has variance ``m + dispersion m^2``.
    gene_spread
        Standard deviation of the log proportions of genes; with 2.2, about a tenth of 20,000 genes are detected in a cell.
    mitochondrial_share, ribosomal_share
        Share of counts from these genes in an average cell.
    damaged_share
        Share of damaged cells: a third of the depth, and twelve times the mitochondrial genes.
    state_spread
        Standard deviation of the log fold of the genes (a twentieth) that differ between a state and the others.
    patient_spread, batch_spread, sample_spread
        Standard deviation of the log fold of every gene between patients, batches and samples.
    bulk_patients, bulk_genes
        Size of the independent bulk cohort; at least 10 patients.
    bulk_noise
        Standard deviation of a gene's log2 expression between patients of the bulk cohort.
    bulk_module_spread
        Standard deviation of a module's common factor, in the same unit; it moves all genes of the module.
    stemness_hazard, resistance_hazard
        Log hazard ratio per standard deviation of the module's mean z score.
    stemness_response, resistance_response
        Log odds ratio of a worse response per standard deviation of the module's mean z score.
    event_share
        Expected share of patients whose event is seen.
    follow_up_median
        Median survival, in months, of a patient with average scores.
    hazard_shape
        Shape of the Weibull distribution of survival; 1 is exponential.
    """

    patients: int = 8
    cells_per_sample: int = 700
    genes: int = 20_000
    before: str = "diagnosis"
    after: str = "relapse"
    subtypes: tuple[str, ...] = ("TAL1", "TLX1", "HOXA")
    batches: int = 2
    formats: str = "auto"
    malignant_share_before: float = 0.9
    malignant_share_after: float = 0.9
    malignant_share_spread: float = 0.3
    stem_share_before: float = 0.014
    stem_share_after: float = 0.26
    stem_share_spread: float = 0.4
    stemness_effect: float = 1.8
    resistance_effect: float = 1.5
    axis_mean_before: float = 0.3
    axis_mean_after: float = 0.55
    axis_concentration: float = 4.0
    cycling_share: float = 0.35
    stem_cycling_share: float = 0.08
    cycle_effect: float = 1.8
    depth_median: float = 5500.0
    depth_spread: float = 0.35
    dispersion: float = 0.3
    gene_spread: float = 2.2
    mitochondrial_share: float = 0.04
    ribosomal_share: float = 0.25
    damaged_share: float = 0.03
    state_spread: float = 1.0
    patient_spread: float = 0.2
    batch_spread: float = 0.15
    sample_spread: float = 0.05
    bulk_patients: int = 400
    bulk_genes: int = 3000
    bulk_noise: float = 0.8
    bulk_module_spread: float = 0.6
    stemness_hazard: float = 0.5
    resistance_hazard: float = 0.0
    stemness_response: float = 0.7
    resistance_response: float = 0.0
    event_share: float = 0.6
    follow_up_median: float = 36.0
    hazard_shape: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "subtypes", tuple(self.subtypes))
        for name in _COUNTS:
            self._check_whole(name, minimum=1)
        self._check_whole("bulk_patients", minimum=_FEWEST_BULK_PATIENTS)
        for name in _SHARES:
            self._check(name, minimum=0.0, maximum=1.0)
        for name in _INNER_SHARES:
            self._check(name, minimum=1e-6, maximum=1 - 1e-6)
        for name in _SPREADS:
            self._check(name, minimum=0.0, maximum=_LARGEST_EFFECT)
        self._check("bulk_noise", minimum=_LEAST_NOISE, maximum=_LARGEST_EFFECT)
        for name in _EFFECTS:
            self._check(name, minimum=-_LARGEST_EFFECT, maximum=_LARGEST_EFFECT)
        for name in _POSITIVE:
            self._check(name, minimum=1e-3, maximum=1e7)
        self._check_together()

    def _check(self, name: str, *, minimum: float, maximum: float) -> None:
        check_between(getattr(self, name), parameter=name, caller=_CALLER, minimum=minimum, maximum=maximum)

    def _check_whole(self, name: str, *, minimum: int) -> None:
        check_whole(getattr(self, name), parameter=name, caller=_CALLER, minimum=minimum)
        # The design is kept as JSON, which does not know numpy's whole numbers.
        object.__setattr__(self, name, int(getattr(self, name)))

    def _check_together(self) -> None:
        check_one_of(self.formats, FORMATS, parameter="formats", caller=_CALLER)
        for text in (self.before, self.after, *self.subtypes):
            if not isinstance(text, str) or not text or not all(sign.isalnum() or sign in "_-" for sign in text):
                message = (
                    f"Names of stages and subtypes must be made of letters, digits, '_' and '-', because they become names "
                    f"of files. Got {text!r}."
                )
                raise ParameterError(message)
        if self.before == self.after:
            message = f"The two stages of {_CALLER} must have different names. Both are {self.before!r}; rename one."
            raise ParameterError(message)
        if not self.subtypes:
            message = f"{_CALLER} needs at least one subtype. Got none; give one name."
            raise ParameterError(message)
        if self.mitochondrial_share + self.ribosomal_share > 0.9:
            message = (
                "Mitochondrial and ribosomal genes together must leave at least a tenth of the counts. "
                f"Got {self.mitochondrial_share} + {self.ribosomal_share}; lower one."
            )
            raise ParameterError(message)

    @property
    def cells(self) -> int:
        """Cells in all samples together."""
        return 2 * self.patients * self.cells_per_sample

    @classmethod
    def demo(cls) -> SimulationDesign:
        """The default cohort: 8 patients, two stages, 700 cells a sample, 20,000 genes, 400 bulk patients."""
        return cls()

    @classmethod
    def tiny(cls) -> SimulationDesign:
        """A cohort for tests, written in about a second: 3 patients, 60 cells a sample, 600 genes, 80 bulk patients."""
        return cls(
            patients=3,
            cells_per_sample=60,
            genes=600,
            depth_median=3000.0,
            dispersion=0.1,
            gene_spread=1.5,
            stem_share_before=0.1,
            stem_share_after=0.4,
            stem_share_spread=0.2,
            stemness_effect=2.2,
            bulk_patients=80,
            bulk_genes=600,
            stemness_hazard=0.8,
        )

    @classmethod
    def chemotherapy(cls) -> SimulationDesign:
        """Samples before and after chemotherapy: the resistance axis moves, and outcome goes with the resistance genes."""
        return cls(
            before="pre",
            after="post",
            subtypes=("osteoblastic", "chondroblastic"),
            malignant_share_before=0.7,
            malignant_share_after=0.5,
            stem_share_before=0.05,
            stem_share_after=0.08,
            axis_mean_before=0.25,
            axis_mean_after=0.6,
            stemness_hazard=0.0,
            resistance_hazard=0.6,
            stemness_response=0.0,
            resistance_response=0.8,
        )

    def null(self) -> SimulationDesign:
        """The same sizes and spreads with every effect zero, so that P values are uniform.

        States, patients and samples still differ by chance; nothing differs between stages, batches or outcomes, and no module
        moves with a state, an axis, a phase or a patient.
        """
        return dataclasses.replace(
            self,
            stem_share_after=self.stem_share_before,
            malignant_share_after=self.malignant_share_before,
            axis_mean_after=self.axis_mean_before,
            stem_cycling_share=self.cycling_share,
            batch_spread=0.0,
            bulk_module_spread=0.0,
            **dict.fromkeys(_EFFECTS, 0.0),
        )

    @property
    def is_null(self) -> bool:
        """True if every effect is zero."""
        return self == self.null()
