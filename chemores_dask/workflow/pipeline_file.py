"""Pipelines as TOML files.

::

    [pipeline]      name, title, description, seed
    [[gene_set]]    name, up, down, source; or name, weights, source
    [[view]]        name, of, and keep = "step.variable", where = {column = ["value"]}, normalize = 1e4 or by = "gene"
    [[step]]        name, analysis, of, join = [{from, as, select, standardize}], and a table of parameters
    [[section]]     title, text, figures, tables
    [design]        batches, [[family]], [[signature]], [[outcome]]: what the audit cannot read off the steps

``from`` and a parameter that begins with ``@`` name a variable of a step (``"states.cell_state"``), or a column of the stored cells or of
a view (``"cells.batch"``). Where an analysis takes a whole result, the parameter is ``"@step"``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from chemores_dask.aliases import StorePath
from chemores_dask.checks import listed
from chemores_dask.errors import InputError, PipelineFileError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.workflow.design_notes import check_design_notes, read_design_notes
from chemores_dask.workflow.record import Section
from chemores_dask.workflow.steps import CELLS, PATIENTS, Join, Pipeline, Reference, Step, View, references_of
from chemores_dask.workflow.toml_tables import TomlTable, close_names, read_toml

FILE_NAME = "pipeline.toml"
SHIPPED = "pipelines"
GENE = "gene"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
REFERENCE = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)\.(\S(?:.*\S)?)")
FIGURE_KEYS = ("kind", "step")
TABLE_KEYS = ("step", "variables", "select", "sort", "descending", "rows", "caption")


def find_pipeline(path: StorePath) -> Path:
    """Find a pipeline: a path, or the name of one that comes with the package.

    Parameters
    ----------
    path
        The TOML file, the folder that holds it as ``pipeline.toml``, or a name.

    Returns
    -------
    Path of the TOML file.

    Raises
    ------
    PipelineFileError
        If there is neither, with the names that there are.
    """
    given = Path(path)
    if given.is_dir():
        return given / FILE_NAME
    if given.exists():
        return given
    # In an installed package they lie inside it, in a checkout beside it.
    package = Path(__file__).resolve().parents[1]
    shipped = {
        file.parent.name: file
        for folder in (package.parent, package)
        for file in sorted((folder / SHIPPED).glob(f"*/{FILE_NAME}"))
    }
    if str(path) in shipped:
        return shipped[str(path)]
    message = (
        f"A pipeline must be a file, a folder with {FILE_NAME}, or one of: {listed(shipped)}. Found nothing at {path}; "
        f"check the path.{close_names(given.name, shipped)}"
    )
    raise PipelineFileError(message)


def read_pipeline(path: StorePath) -> Pipeline:
    """Read a pipeline.

    Parameters
    ----------
    path
        The TOML file, the folder that holds it as ``pipeline.toml``, or the name of a pipeline of the package.

    Returns
    -------
    The pipeline, with every reference pointing to something that exists.

    Raises
    ------
    PipelineFileError
        Naming the file, the table, the key and what was expected there.
    """
    top = read_toml(find_pipeline(path), what="A pipeline")
    top.only("pipeline", "gene_set", "view", "step", "section", "design")
    head = top.table("pipeline").only("name", "title", "description", "seed")
    pipeline = Pipeline(
        name=_name(head),
        title=head.text("title"),
        description=head.text("description", default="").strip(),
        seed=head.whole("seed"),
        gene_sets=_gene_sets(top),
        views=tuple(_view(table) for table in top.tables("view", named="name")),
        steps=tuple(_step(table) for table in top.tables("step", named="name")),
        sections=tuple(_section(table) for table in top.tables("section", named="title")),
        design=read_design_notes(top),
    )
    if not pipeline.steps:
        top.fail("step", expected="is missing; a pipeline must have at least one [[step]]")
    _check_names(pipeline, top)
    _check_references(pipeline, top)
    check_design_notes(pipeline, top)
    return pipeline


def read_reference(text: str, *, table: TomlTable, key: str) -> Reference:
    """Read ``"step.variable"``.

    Parameters
    ----------
    text
        What the file says.
    table, key
        Where it says so.

    Returns
    -------
    The reference.

    Raises
    ------
    PipelineFileError
        If the text has another form.
    """
    matched = REFERENCE.fullmatch(text)
    if matched is None:
        table.fail(key, expected='must have the form "step.variable"', found=text)
    return Reference(matched[1], matched[2])


def _name(table: TomlTable) -> str:
    name = table.text("name")
    if NAME.fullmatch(name) is None:
        table.fail("name", expected="must start with a letter and hold letters, digits, _ and - only", found=name)
    return name


def _gene_sets(top: TomlTable) -> GeneSets:
    sets = []
    for table in top.tables("gene_set", named="name"):
        table.only("name", "up", "down", "weights", "source")
        try:
            sets.append(_gene_set(table))
        except InputError as error:
            message = f"In {table.file}: {table.place} is not a gene set. {error}"
            raise PipelineFileError(message) from error
    try:
        return GeneSets(tuple(sets))
    except InputError as error:
        message = f"In {top.file}: {error}"
        raise PipelineFileError(message) from error


def _gene_set(table: TomlTable) -> GeneSet:
    name, source = table.text("name"), table.text("source", default="")
    up, down, weights = table.texts("up", default=()), table.texts("down", default=()), table.table("weights")
    if not weights.values:
        return GeneSet(name, up, down, source=source)
    if up or down:
        table.fail(
            "weights", expected="takes the place of 'up' and 'down': the sign of a weight is the direction of its gene"
        )
    return GeneSet.from_weights(name, {gene: weights.number(gene) for gene in weights.values}, source=source)


def _view(table: TomlTable) -> View:
    table.only("name", "of", "keep", "normalize", "where", "by")
    keep = read_reference(table.text("keep"), table=table, key="keep") if "keep" in table.values else None
    normalize = table.number("normalize") if "normalize" in table.values else None
    where = {column: _values(table.table("where"), column) for column in table.table("where").values}
    by_gene = "by" in table.values
    if [keep is None, normalize is None, not where, not by_gene].count(False) != 1:
        table.fail("keep", expected="or 'where', 'by' or 'normalize' must be given, and only one of them")
    if by_gene and table.text("by") != GENE:
        table.fail("by", expected='must be "gene"', found=table.text("by"))
    if normalize is not None and not normalize > 0:
        table.fail("normalize", expected="must be above 0", found=normalize)
    return View(_name(table), table.text("of", default=CELLS), keep, normalize, where, by_gene)


def _values(table: TomlTable, column: str) -> tuple[str, ...]:
    values = table.texts(column) if isinstance(table.values[column], list) else (table.text(column),)
    if not values:
        table.fail(column, expected="must name at least one value")
    return values


def _step(table: TomlTable) -> Step:
    table.only("name", "analysis", "of", "join", "parameters")
    parameters = table.table("parameters")
    values = {key: _value(value, table=parameters, key=key) for key, value in parameters.values.items()}
    joins = tuple(_join(joined) for joined in table.tables("join", named="as"))
    names = [join.name for join in joins]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        table.fail("join", expected="must give every column a name of its own", found=twice[0])
    return Step(_name(table), table.text("analysis"), table.text("of"), joins, values)


def _value(value: object, *, table: TomlTable, key: str) -> object:
    if not isinstance(value, str) or not value.startswith("@"):
        return value
    if NAME.fullmatch(value[1:]) is not None:
        return Reference(value[1:])
    return read_reference(value[1:], table=table, key=key)


def _join(table: TomlTable) -> Join:
    table.only("from", "as", "select", "standardize")
    select = table.table("select")
    return Join(
        read_reference(table.text("from"), table=table, key="from"),
        table.text("as"),
        {key: select.text(key) for key in select.values},
        table.truth("standardize", default=False),
    )


def _section(table: TomlTable) -> Section:
    table.only("title", "text", "figures", "tables")
    figures, tables = [], []
    for figure in table.tables("figures", named="kind"):
        for key in FIGURE_KEYS:
            figure.text(key)
        figures.append(dict(figure.values))
    for shown in table.tables("tables", named="step"):
        shown.only(*TABLE_KEYS)
        shown.text("step")
        shown.texts("variables", default=())
        tables.append(dict(shown.values))
    return Section(table.text("title"), table.text("text", default="").strip(), tuple(figures), tuple(tables))


def _check_names(pipeline: Pipeline, top: TomlTable) -> None:
    names = [node.name for node in (*pipeline.views, *pipeline.steps)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        message = f"In {top.file}: names of views and steps must be unique. Found more than once: {listed(twice)}; rename them."
        raise PipelineFileError(message)
    if CELLS in names:
        message = f"In {top.file}: {CELLS!r} names the stored cells. Rename the view or step of that name."
        raise PipelineFileError(message)


def _check_references(pipeline: Pipeline, top: TomlTable) -> None:
    steps = [step.name for step in pipeline.steps]
    views = [view.name for view in pipeline.views]

    def check(name: str, known: Iterable[str], *, reader: str, key: str) -> None:
        present = list(known)
        if name not in present:
            message = (
                f"In {top.file}: {key!r} of {reader} must name something that exists. Got {name!r}; "
                f"present: {listed(present)}.{close_names(name, present)}"
            )
            raise PipelineFileError(message)

    for view in pipeline.views:
        check(view.of, [CELLS, *views], reader=f"[[view]] {view.name!r}", key="of")
        if view.keep is not None:
            check(view.keep.step, steps, reader=f"[[view]] {view.name!r}", key="keep")
    for step in pipeline.steps:
        reader = f"[[step]] {step.name!r}"
        if not (step.of.startswith(PATIENTS) and step.of != PATIENTS):
            check(step.of, [CELLS, *views, *steps, "patients/<cohort>"], reader=reader, key="of")
        for reference in references_of(step):
            known = [*steps, CELLS, *views] if reference.variable else steps
            check(reference.step, known, reader=reader, key=str(reference))
        for join in step.join:
            if join.select and join.reference.step not in steps:
                message = (
                    f"In {top.file}: 'select' picks labels along the dimensions of a result. {str(join.reference)!r} in {reader} is a "
                    "column of cells, which has none; remove 'select'."
                )
                raise PipelineFileError(message)
    for section in pipeline.sections:
        for drawn in (*section.figures, *section.tables):
            check(str(drawn["step"]), steps, reader=f"[[section]] {section.title!r}", key="step")
