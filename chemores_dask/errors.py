"""Every exception and warning of the package, in one tree.

::

    ChemoresError
      InputError (ValueError)            what the caller passed cannot be used
        MissingVariableError (KeyError)  a named column or variable is absent
        VariableSpecError                a result does not match its declaration
        ParameterError                   a parameter has a value outside its range
        GeneMismatchError                too few genes in common, or genes not known
        TooFewEventsError                not enough events for the model
        CountsError                      a matrix is not made of raw counts
        PrivacyError                     columns look as if they told who the patients are
      StoreError                         something on disk cannot be used
        StoreNotFoundError (FileNotFoundError)
        FormatError (ValueError)         a file is not what its name or header says
        SchemaVersionError               the store was written by a newer version
        IncompleteStoreError             writing was cut short; run it again
        IncompleteResultError            a result was not written to its end
        ChecksumError                    bytes on disk are not those that were written
        StoreBusyError                   another process writes into the store
      ResourceError
        BlockTooLargeError (MemoryError) a task would not fit into memory
        StagingSpaceError (OSError)      files of a pass would not fit on the disk
        InterruptedPassError             a pass that analyses share was given up
      WorkflowError
        PipelineFileError                a pipeline file does not parse
        UnknownStepError                 a step names an analysis that does not exist
        StepFailedError                  a step failed; raised from its cause

    ChemoresWarning (UserWarning)
      MissingGenesWarning                some genes of a set are not in the data
      DamagedResultWarning               an earlier result was damaged and is computed anew
      ConvergenceWarning                 an iteration stopped before it converged
      SmallSampleWarning                 no arrangement of the data can be significant
      FewEventsWarning                   a model has few events for its coefficients
      OptimisticEstimateWarning          what is measured was also fitted to the same patients
      DroppedPatientsWarning             patients without the data an analysis needs are left out
      RepeatedPatientsWarning            samples of one patient stand for several patients
      UnfittedStateWarning               a state could not be fitted while others were
      StaleResultWarning                 a result was made from cells or patients that are no longer the same
      AliasedBatchWarning                correcting batches takes the contrast of interest away
      DisconnectedGraphWarning           a graph of cells has parts that no edge joins
      TiedRanksWarning                   many genes of a ranking share their value
      EmptySignatureWarning              every gene of a signature weighs 0

A message has three parts: what must hold, what was found, how to mend it.
"""

from __future__ import annotations


class ChemoresError(Exception):
    """Anything this package raises on purpose."""


class InputError(ChemoresError, ValueError):
    """What the caller passed cannot be used."""


class MissingVariableError(InputError, KeyError):
    """A named column or variable is absent."""

    # KeyError shows its message through repr, which would escape the quotes and line breaks.
    __str__ = Exception.__str__


class VariableSpecError(InputError):
    """A result does not match its declaration."""


class ParameterError(InputError):
    """A parameter has a value outside its range."""


class GeneMismatchError(InputError):
    """Too few genes in common, or genes that are not known."""


class TooFewEventsError(InputError):
    """There are not enough events for the model."""


class CountsError(InputError):
    """A matrix is not made of raw counts."""


class PrivacyError(InputError):
    """Columns of a clinical table look as if they told who the patients are."""


class StoreError(ChemoresError):
    """Something on disk cannot be used."""


class StoreNotFoundError(StoreError, FileNotFoundError):
    """There is nothing at this path."""

    __str__ = Exception.__str__


class FormatError(StoreError, ValueError):
    """A file is not what its name or header says."""


class SchemaVersionError(StoreError):
    """The store was written by a newer version of the package."""


class IncompleteStoreError(StoreError):
    """Writing was cut short."""


class IncompleteResultError(StoreError):
    """A result was not written to its end."""


class ChecksumError(StoreError):
    """The bytes on disk are not those that were written."""


class StoreBusyError(StoreError):
    """Another process writes into the store."""


class ResourceError(ChemoresError):
    """The machine or cluster cannot do what was asked."""


# MemoryError comes first: it makes its own objects, and tracebacks that travel between workers (tblib) would not rebuild one otherwise.
class BlockTooLargeError(MemoryError, ResourceError):
    """A task would not fit into memory."""


class StagingSpaceError(OSError, ResourceError):
    """Files of a pass would not fit on the disk."""


class InterruptedPassError(ResourceError):
    """A pass that analyses share was given up before its end."""


class WorkflowError(ChemoresError):
    """A pipeline cannot be planned or run."""


class PipelineFileError(WorkflowError, ValueError):
    """A pipeline file does not parse."""


class UnknownStepError(WorkflowError):
    """A step names something that does not exist."""


class StepFailedError(WorkflowError):
    """A step failed; raised from its cause."""


class ChemoresWarning(UserWarning):
    """Anything this package warns of."""


class MissingGenesWarning(ChemoresWarning):
    """Some genes of a set are not in the data."""


class DamagedResultWarning(ChemoresWarning):
    """An earlier result was damaged on disk and was computed anew."""


class ConvergenceWarning(ChemoresWarning):
    """An iteration stopped before it converged."""


class SmallSampleWarning(ChemoresWarning):
    """No arrangement of the data could reach the usual significance level."""


class FewEventsWarning(ChemoresWarning):
    """A model has fewer than ten events per coefficient."""


class OptimisticEstimateWarning(ChemoresWarning):
    """What is measured was also fitted to the same patients, so that it looks better than it is."""


class DroppedPatientsWarning(ChemoresWarning):
    """Some patients lack what an analysis needs and are left out."""


class DisconnectedGraphWarning(ChemoresWarning):
    """A graph of cells has parts that no edge joins."""


class RepeatedPatientsWarning(ChemoresWarning):
    """Samples of one patient stand for several patients in a test."""


class UnfittedStateWarning(ChemoresWarning):
    """A model could not be fitted for a state of cells, while it was for others."""


class StaleResultWarning(ChemoresWarning):
    """A result was made from cells or patients that are no longer the same."""


class AliasedBatchWarning(ChemoresWarning):
    """Correcting these batches takes the contrast of interest away."""


class EmptySignatureWarning(ChemoresWarning):
    """No gene foretells survival better than none."""


class TiedRanksWarning(ChemoresWarning):
    """Many genes of a ranking share their value, and their order is that of their names."""
