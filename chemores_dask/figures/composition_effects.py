"""How all states change within patients, with the tests side by side."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import count_text, p_text, share_text, shown_name
from chemores_dask.figures.recorded import labels_along, number_of, recorded_parameters
from chemores_dask.figures.side_columns import Column, write_columns
from chemores_dask.figures.style import (
    HIGHLIGHT,
    MAIN,
    NEUTRAL,
    dress,
    head,
    message_figure,
    new_figure,
)

EFFECT = ("change_mean_logit_difference", "change_mean_logit_difference_lower", "change_mean_logit_difference_upper")
MODEL = ("beta_binomial_effect", "beta_binomial_effect_lower", "beta_binomial_effect_upper")
SHARES = ("change_mean_share_before", "change_mean_share_after")
DOUBTED = "†"
APART = 0.16


def composition_effects(
    changes: xr.Dataset,
    *,
    beta_binomial: xr.Dataset | None = None,
    propeller: xr.Dataset | None = None,
    dirichlet: xr.Dataset | None = None,
) -> Figure:
    """Change of the log odds of each state within patients, with limits, shares, n and every test beside it.

    Parameters
    ----------
    changes
        Result of ``composition_changes``.
    beta_binomial
        Result of ``beta_binomial_composition`` on the same cube: a second line per state, and a column.
    propeller
        Result of ``propeller_composition``: a column.
    dirichlet
        Result of ``dirichlet_multinomial_composition``: a column that says against how many references a state is credible.

    Returns
    -------
    Figure. Symbols are open where a state was not detected in some patients at a stage. The note holds n, the tests, and the smallest P
    that so many patients can reach.
    """
    check_variables(changes, [*EFFECT, *SHARES], dims=("state",), what="the result", caller="composition_effects")
    effect, lower, upper = (changes[name].values.astype(float) for name in EFFECT)
    shown = np.flatnonzero(np.isfinite(effect))
    if not shown.size:
        return message_figure("No state has cells in paired patients, so there is nothing to compare.")
    shown = shown[np.argsort(-effect[shown], kind="stable")]
    states = [labels_along(changes, "state")[place] for place in shown]
    model = _along(beta_binomial, states, MODEL)
    open_symbol = changes["change_patients_without"].values[shown] > 0
    figure = new_figure(width=9.6, height=1.25 + 0.42 * max(len(shown), 2))
    axes = figure.add_subplot()
    rows = np.stack([effect, lower, upper], axis=1)[shown]
    axes.set_xlim(*_reach(rows if model is None else np.concatenate([rows, model])))
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.axvline(0, color=NEUTRAL, linewidth=1, zorder=1)
    for place, row in enumerate(rows):
        _draw(
            axes,
            place - (APART if model is not None else 0),
            row,
            color=MAIN,
            hollow=bool(open_symbol[place]),
            name="change",
        )
        if model is not None:
            _draw(axes, place + APART, model[place], color=HIGHLIGHT, hollow=bool(open_symbol[place]), name="model")
    axes.set_yticks(range(len(shown)), [shown_name(state) for state in states])
    patients = int(number_of(changes, "change_patients"))
    first, last = (str(recorded_parameters(changes).get(key, key)) for key in ("before", "after"))
    counted = f"{patients} patient" + ("s" if patients != 1 else "")
    dress(axes, x=f"Change of log odds (n = {counted}),\n{shown_name(first)} → {shown_name(last)}", grid="x")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    write_columns(axes, _columns(changes.isel(state=shown), states, beta_binomial, propeller, dirichlet))
    _write_head(figure, changes.isel(state=shown), counted=counted, with_model=model is not None)
    return figure


def _along(result: xr.Dataset | None, states: list[str], names: tuple[str, ...]) -> np.ndarray | None:
    """Variables of another result in the order of the states; not a number where it lacks one."""
    if result is None:
        return None
    known = labels_along(result, "state")
    values = np.full((len(states), len(names)), np.nan)
    for row, state in enumerate(states):
        if state in known:
            values[row] = [float(result[name].values[known.index(state)]) for name in names]
    return values


def _reach(rows: np.ndarray) -> tuple[float, float]:
    ends = rows[np.isfinite(rows)]
    low, high = min(float(ends.min()), -0.2), max(float(ends.max()), 0.2)
    edge = 0.05 * (high - low)
    return low - edge, high + edge


def _draw(axes: Axes, place: float, row: np.ndarray, *, color: str, hollow: bool, name: str) -> None:
    effect, low, high = row
    if not np.isfinite(effect):
        return
    left, right = axes.get_xlim()
    if not np.isnan(low):
        ends = [max(low, left), min(high, right)]
        axes.plot(ends, [place, place], color=color, linewidth=2, gid=f"{name} limits", zorder=2, solid_capstyle="butt")
    if low < left:
        axes.plot([left], [place], "<", color=color, markersize=6, clip_on=False)
    if high > right:
        axes.plot([right], [place], ">", color=color, markersize=6, clip_on=False)
    marker = "s" if name == "change" else "D"
    axes.plot([effect], [place], marker, color=color, markerfacecolor="white" if hollow else color, markersize=7, markeredgewidth=1.5,
              gid=f"{name} {'open' if hollow else 'full'}", zorder=3)  # fmt: skip


def _columns(
    changes: xr.Dataset,
    states: list[str],
    beta_binomial: xr.Dataset | None,
    propeller: xr.Dataset | None,
    dirichlet: xr.Dataset | None,
) -> list[Column]:
    before, after = (changes[name].values for name in SHARES)
    trusted = changes["change_log_odds_trusted"].values
    doubted = ["" if sure else DOUBTED for sure in trusted]
    columns = [
        Column(
            "mean share", [f"{share_text(a)} → {share_text(b)}" for a, b in zip(before, after, strict=True)], bold=True
        ),
        Column(
            "P, paired t",
            [p_text(p) + mark for p, mark in zip(changes["change_t_p_value"].values, doubted, strict=True)],
        ),
        Column(
            "P, sign flip",
            [p_text(p) + mark for p, mark in zip(changes["change_sign_flip_p_value"].values, doubted, strict=True)],
        ),
    ]
    for result, variable, header in (
        (beta_binomial, "beta_binomial_p_value", "P, beta-binomial"),
        (propeller, "propeller_p_value", "P, moderated t"),
    ):
        values = _along(result, states, (variable,))
        if values is not None:
            columns.append(Column(header, [p_text(p) if np.isfinite(p) else "–" for p in values[:, 0]]))
    credible = _along(dirichlet, states, ("dirichlet_credible_references",))
    if credible is not None and dirichlet is not None:
        references = set(labels_along(dirichlet, "reference"))
        texts = [
            f"{count_text(number)} of {len(references - {state})}" if np.isfinite(number) else "–"
            for state, number in zip(states, credible[:, 0], strict=True)
        ]
        columns.append(Column("credible against", texts))
    return columns


def _write_head(figure: Figure, changes: xr.Dataset, *, counted: str, with_model: bool) -> None:
    least = number_of(changes, "change_minimum_p_value")
    most = int(np.argmax(np.abs(changes[EFFECT[0]].values)))
    lines = [
        f"n = {counted}; two-sided tests over patients, P not corrected for the number of states. "
        f"Smallest P that {counted} can reach in tests of signs: {p_text(least)}.",
        "Squares: mean difference of log odds with 95 % limits of t."
        + (" Diamonds: beta-binomial model, profile limits." if with_model else ""),
    ]
    if (changes["change_patients_without"].values > 0).any():
        lines.append(
            "Open symbols: not a cell of the state at some stage of some patient; that is not detected, not 0."
        )
    if not changes["change_log_odds_trusted"].values.all():
        lines.append(f"{DOUBTED} Few cells and unequal samples: tests of the log odds err more often than they say.")
    before, after = (float(changes[name].values[most]) for name in SHARES)
    state = shown_name(labels_along(changes, "state")[most])
    title = f"Within patients, {state} changes most: {share_text(before)} → {share_text(after)}"
    head(figure, title, note="\n".join(lines))
