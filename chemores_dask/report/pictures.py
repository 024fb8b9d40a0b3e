"""Figures as images within the page."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

from matplotlib.figure import Figure

from chemores_dask.figures.style import DOTS_PER_INCH
from chemores_dask.report.markup import Markup, element

MOST_PIXELS = 30_000
SHOWN_PER_INCH = 104


def image_element(figure: Figure, *, caption: object, number: int) -> Markup:
    """A figure with its caption; the image itself is part of the page.

    Parameters
    ----------
    figure
        The figure.
    caption
        Written below.
    number
        Of the figure.

    Returns
    -------
    HTML.
    """
    width, height = figure.get_size_inches()
    stream = BytesIO()
    dots = min(DOTS_PER_INCH, MOST_PIXELS / max(width, height))
    figure.savefig(stream, format="png", dpi=dots, metadata={"Software": None})
    image = element(
        "img",
        attributes={
            "src": f"data:image/png;base64,{b64encode(stream.getvalue()).decode('ascii')}",
            "alt": described(figure, caption),
            "width": round(width * SHOWN_PER_INCH),
            "height": round(height * SHOWN_PER_INCH),
        },
    )
    label = element("b", f"Figure {number}.")
    return element("figure", [image, element("figcaption", [label, " ", caption])])


def described(figure: Figure, caption: object) -> str:
    """What a figure shows, for those who cannot see it.

    Parameters
    ----------
    figure
        The figure.
    caption
        Its caption.

    Returns
    -------
    The caption, the title and the note of the figure, or its message.
    """
    words = [text.get_text() for text in figure.texts]
    if not words:
        words = [text.get_text() for axes in figure.axes for text in axes.texts][:1]
    said = [" ".join(part.replace("\\$", "$").split()) for part in (str(caption), *words)]
    return " ".join(part if part.endswith(".") else f"{part}." for part in said if part)
