"""Options that take several values at once: ``--samples A B C``."""

from __future__ import annotations

from typing import Any, ClassVar

import typer.core


class TakingManyValues(typer.core.TyperCommand):
    """A command whose repeatable options take all values up to the next option; such options come after the arguments.

    Attributes
    ----------
    options_with_values
        Names of the options.
    """

    options_with_values: ClassVar[tuple[str, ...]] = ("--samples", "--results")

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the name of the option before every value, then parse."""
        return super().parse_args(ctx, spread_values(args, options=self.options_with_values))


def spread_values(arguments: list[str], *, options: tuple[str, ...]) -> list[str]:
    """Repeat the name of an option before each of its values.

    Parameters
    ----------
    arguments
        As given.
    options
        Names of options that take several values.

    Returns
    -------
    New list; what follows ``--`` is left as it is.

    Examples
    --------
    >>> spread_values(["s.zarr", "o.h5ad", "--samples", "a", "b", "--overwrite"], options=("--samples",))
    ['s.zarr', 'o.h5ad', '--samples', 'a', '--samples', 'b', '--overwrite']
    """
    spread: list[str] = []
    current, values = "", 0
    for number, argument in enumerate(arguments):
        if argument == "--":
            return spread + arguments[number:]
        if argument.startswith("-") and argument != "-":
            current, values = (argument, 0) if argument in options else ("", 0)
        elif current:
            values += 1
            if values > 1:
                spread.append(current)
        spread.append(argument)
    return spread
