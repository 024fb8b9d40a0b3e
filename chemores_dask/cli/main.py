"""The command ``chemores``.

This module holds the signatures and their help, and nothing that takes long to import: what a command does lies in a module of
its own, which is imported when the command is called. With the package's own door it is the only place where imports wait.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from importlib import import_module, metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from chemores_dask.cli.many_values import TakingManyValues
from chemores_dask.cli.survival_commands import survival_app
from chemores_dask.cli.terminal import TellingErrors, say

DEBUG = "--debug"
DEFAULT_PIPELINE = Path("tall_relapse")

app = typer.Typer(
    name="chemores",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Chemotherapy resistance from single-cell counts to patient outcome, out of core, on Dask.",
    epilog="Start with: chemores demo DIR. Every command explains itself with --help.",
)

DATA = "Data"
ANALYSIS = "Analysis"
ABOUT = "About"

Store = Annotated[Path, typer.Argument(help="The store, a folder such as cohort.zarr.", show_default=False)]
Wait = Annotated[bool, typer.Option("--wait", help="Wait while another process writes into the store.")]
Seed = Annotated[int, typer.Option(help="Seed of every random draw.")]


class Preset(StrEnum):
    """Sizes and effects of a simulated cohort."""

    demo = "demo"
    tiny = "tiny"
    chemotherapy = "chemotherapy"
    null = "null"


class GeneChoice(StrEnum):
    """Genes of a store whose files have different ones."""

    union = "union"
    intersection = "intersection"


class Compression(StrEnum):
    """Compression of exported counts."""

    gzip = "gzip"
    lzf = "lzf"
    none = "none"


@app.callback()
def _about(
    *,
    debug: Annotated[bool, typer.Option(DEBUG, help="Show the traceback of an error.")] = False,
) -> None:
    pass


@app.command(rich_help_panel=DATA)
def simulate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.", show_default=False)],
    *,
    preset: Annotated[Preset, typer.Option(help="Cohort to simulate; null has no effects at all.")] = Preset.demo,
    seed: Seed = 1,
    patients: Annotated[int | None, typer.Option(min=1, help="Patients with single cells.")] = None,
    cells_per_sample: Annotated[int | None, typer.Option(min=1, help="Cells of each sample.")] = None,
    genes: Annotated[int | None, typer.Option(min=200, help="Genes.")] = None,
    bulk_patients: Annotated[int | None, typer.Option(min=2, help="Patients of the bulk cohort.")] = None,
) -> None:
    """Write the files of a simulated cohort, as a lab would hold them, and the truth behind them."""
    sizes = {"patients": patients, "cells_per_sample": cells_per_sample, "genes": genes, "bulk_patients": bulk_patients}
    _perform("simulate", folder, preset=preset.value, seed=seed, sizes=sizes)


@app.command(rich_help_panel=DATA)
def ingest(
    samples: Annotated[
        Path, typer.Argument(help="Sample sheet (CSV or TSV: sample, path, patient, stage, …).", show_default=False)
    ],
    store: Store,
    *,
    species: Annotated[str | None, typer.Option(help="Species (genome) to keep of a reference with several.")] = None,
    aliases: Annotated[
        Path | None, typer.Option(help="Table with columns alias and symbol: old names of genes.")
    ] = None,
    genes: Annotated[GeneChoice, typer.Option(help="Genes of any file, or those of every file.")] = GeneChoice.union,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=NEW]",
            help="Column of the files' own tables of cells to keep, and its new name; may be repeated.",
        ),
    ] = None,
    wait: Wait = False,
) -> None:
    """Bring the files of a sample sheet into one store. Can be interrupted and called again."""
    _perform("ingest", samples, store, species=species, aliases=aliases, genes=genes.value, keep=keep, wait=wait)


@app.command(rich_help_panel=DATA)
def append(
    store: Store,
    samples: Annotated[Path, typer.Argument(help="Sample sheet of the new samples.", show_default=False)],
    *,
    species: Annotated[str | None, typer.Option(help="Species (genome) to keep of a reference with several.")] = None,
    aliases: Annotated[
        Path | None, typer.Option(help="Table with columns alias and symbol: old names of genes.")
    ] = None,
    genes: Annotated[
        GeneChoice, typer.Option(help="Genes that the store lacks are refused (union) or left out (intersection).")
    ] = GeneChoice.union,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=NEW]", help="Column of the files' own tables of cells to keep; may be repeated."),
    ] = None,
    wait: Wait = False,
) -> None:
    """Bring more samples into a finished store; what is there is not written again. Can be interrupted and called again."""
    _perform("append", store, samples, species=species, aliases=aliases, genes=genes.value, keep=keep, wait=wait)


@app.command(rich_help_panel=DATA)
def withdraw(
    store: Store,
    *,
    patient: Annotated[list[str], typer.Option(help="Patient who leaves; may be repeated.", show_default=False)],
    column: Annotated[str, typer.Option(help="Column of the table of cells that names the patient.")] = "patient",
    wait: Wait = False,
) -> None:
    """Remove patients, consent withdrawn, from counts, cohorts and results. Can be interrupted and called again."""
    _perform("withdraw", store, patients=patient, column=column, wait=wait)


@app.command("ingest-patients", rich_help_panel=DATA)
def ingest_patients(
    clinical: Annotated[
        Path, typer.Argument(help="Clinical table (CSV or TSV), one row per patient.", show_default=False)
    ],
    store: Store,
    *,
    cohort: Annotated[str, typer.Option(help="Name of the cohort; pipelines read patients/NAME.", show_default=False)],
    expression: Annotated[Path | None, typer.Option(help="Bulk expression (CSV or TSV), genes by patients.")] = None,
    patient: Annotated[
        str | None, typer.Option(help="Column that names the patient; found by its usual names unless given.")
    ] = None,
    duration: Annotated[list[str] | None, typer.Option(help="Column of follow-up times; may be repeated.")] = None,
    event: Annotated[
        list[str] | None, typer.Option(help="Column that says whether follow-up ended in the event; may be repeated.")
    ] = None,
    required: Annotated[
        list[str] | None,
        typer.Option(help="Column that must be known; patients without it are left out. May be repeated."),
    ] = None,
    allow_column: Annotated[
        list[str] | None,
        typer.Option(help="Column to read although it looks as if it told who the patients are; may be repeated."),
    ] = None,
) -> None:
    """Bring a cohort of patients (clinical table, bulk expression) into a store."""
    _perform(
        "ingest_patients", clinical, store,
        cohort=cohort, expression=expression, patient=patient, duration=duration, event=event, required=required,
        allow_column=allow_column,
    )  # fmt: skip


@app.command(rich_help_panel=ANALYSIS)
def run(
    pipeline: Annotated[
        Path, typer.Argument(help="Pipeline: a folder with pipeline.toml, or the file.", show_default=False)
    ],
    *,
    store: Annotated[Path, typer.Option(help="The store.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Folder for report, tables and record.", show_default=False)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run and why, and stop.")] = False,
    gene_sets: Annotated[Path | None, typer.Option(help="GMT file; its sets replace those of the same name.")] = None,
    claims: Annotated[Path | None, typer.Option(help="claims.toml with figures to hold the results against.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed instead of the pipeline's own.")] = None,
    memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Memory for the whole run, such as 4GB; on a cluster, of each worker."),
    ] = None,
    wait: Wait = False,
) -> None:
    """Run a pipeline and write its report. Steps that are done are not run again."""
    if out is None and not dry_run:
        message = "is required unless there is --dry-run."
        raise typer.BadParameter(message, param_hint="--out")
    _perform(
        "run", pipeline,
        store=store, out=out, dry_run=dry_run, gene_sets=gene_sets, claims=claims, seed=seed, memory=memory, wait=wait,
    )  # fmt: skip


@app.command(rich_help_panel=ANALYSIS)
def audit(
    store: Store,
    *,
    pipeline: Annotated[
        Path, typer.Option(help="Pipeline: a folder with pipeline.toml, the file, or a name.", show_default=False)
    ],
    gene_sets: Annotated[Path | None, typer.Option(help="GMT file; its sets replace those of the same name.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with code 1 if there are errors.")] = False,
) -> None:
    """Say what is wrong with the design of a study before anything is computed: replicates, confounding, power, circularity."""
    _perform("audit", store, pipeline_path=pipeline, gene_sets=gene_sets, strict=strict)


@app.command(rich_help_panel=DATA)
def info(store: Store) -> None:
    """Tell what a store holds: cells, genes, samples, sparsity, size, cohorts, results."""
    _perform("info", store)


@app.command(rich_help_panel=ANALYSIS)
def results(store: Store) -> None:
    """List the results of a store."""
    _perform("results", store)


@app.command(rich_help_panel=DATA)
def verify(store: Store) -> None:
    """Read every shard of the counts again and compare it with its checksum."""
    _perform("verify", store)


@app.command("by-gene", rich_help_panel=DATA)
def by_gene(
    store: Store,
    *,
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="Memory for the whole run, such as 4GB.")] = None,
    wait: Wait = False,
) -> None:
    """Write the counts once more, gene by gene, for reading single genes. Can be interrupted and called again."""
    _perform("by_gene", store, memory=memory, wait=wait)


@app.command(rich_help_panel=DATA, cls=TakingManyValues)
def export(
    store: Store,
    path: Annotated[Path, typer.Argument(metavar="OUT", help="New file: out.h5ad or out.zarr.", show_default=False)],
    *,
    samples: Annotated[
        list[str] | None, typer.Option(metavar="A B …", help="Samples to export; all unless given.")
    ] = None,
    results: Annotated[
        list[str] | None,
        typer.Option(metavar="STEP …", help="Results to attach: STEP for the latest, or STEP@FINGERPRINT."),
    ] = None,
    compression: Annotated[Compression, typer.Option(help="Of the counts in an .h5ad.")] = Compression.gzip,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export at this place.")] = False,
) -> None:
    """Write the cells as a standard AnnData file, with chosen results attached."""
    _perform(
        "export", store, path,
        samples=samples, results=results, compression=compression.value, overwrite=overwrite,
    )  # fmt: skip


@app.command(rich_help_panel=ABOUT)
def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where everything goes.", show_default=False)],
    *,
    preset: Annotated[Preset, typer.Option(help="Cohort to simulate.")] = Preset.demo,
    pipeline: Annotated[Path, typer.Option(help="Pipeline to run.")] = DEFAULT_PIPELINE,
    seed: Seed = 1,
) -> None:
    """Simulate a cohort with known truth, run a pipeline on it, and show what was recovered."""
    _perform("demo", folder, preset=preset.value, pipeline=pipeline, seed=seed)


@app.command(rich_help_panel=ABOUT)
def version() -> None:
    """Print the version."""
    say(metadata.version("chemores_dask"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Parameters
    ----------
    arguments
        Arguments after the name of the command; those of the process unless given.

    Raises
    ------
    SystemExit
        Always: 0 after success, 1 after an error, 2 for wrong usage, 130 after an interruption.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = DEBUG in given
    # People add --debug where they are: at the end of the line that failed.
    rest = [argument for argument in given if argument != DEBUG]
    with TellingErrors(debug=debug):
        typer.main.get_command(app).main(args=rest, prog_name="chemores")


def _perform(command: str, *nouns: Path, **options: Any) -> None:
    try:
        import_module(f"chemores_dask.cli.{command}_command").perform(*nouns, **options)
    except KeyboardInterrupt:
        # Typer would turn it into a silent exit.
        with TellingErrors(debug=False):
            raise


app.add_typer(survival_app(_perform), name="survival", rich_help_panel=ANALYSIS)


if __name__ == "__main__":
    main()
