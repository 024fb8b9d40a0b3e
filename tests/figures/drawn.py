"""What a figure holds: lines, texts, and where they are."""

from __future__ import annotations

from io import BytesIO
from unittest import mock

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.text import Text


def by_name(figure: Figure, name: str) -> list[Artist]:
    """Artists of a figure by the name given to them as they were drawn."""
    return figure.findobj(lambda artist: artist.get_gid() == name)


def texts_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def said(figure: Figure) -> str:
    return "\n".join(texts_of(figure))


def png_of(figure: Figure) -> bytes:
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=80)
    return stream.getvalue()


def text_boxes(figure: Figure) -> dict[str, np.ndarray]:
    """Boxes of all texts that are really drawn, in pixels: left, bottom, right, top."""
    drawn: dict[int, Text] = {}
    draw = Text.draw

    def record(text: Text, renderer: object) -> None:
        drawn[id(text)] = text
        draw(text, renderer)

    with mock.patch.object(Text, "draw", record):
        figure.canvas.draw()
    boxes = {}
    for number, text in enumerate(drawn.values()):
        if text.get_visible() and text.get_text().strip():
            box = Text.get_window_extent(text)  # of an annotation: without its line
            boxes[f"{number}: {text.get_text()}"] = np.array([box.x0, box.y0, box.x1, box.y1])
    return boxes


def overlaps(figure: Figure, *, tolerance: float = 2.0) -> list[tuple[str, str]]:
    """Pairs of texts that lie over each other by more than some pixels in both directions."""
    boxes = list(text_boxes(figure).items())
    found = []
    for place, (first, a) in enumerate(boxes):
        for second, b in boxes[place + 1 :]:
            width = min(a[2], b[2]) - max(a[0], b[0])
            height = min(a[3], b[3]) - max(a[1], b[1])
            if width > tolerance and height > tolerance:
                found.append((first, second))
    return found


def outside(figure: Figure, *, tolerance: float = 2.0) -> list[str]:
    """Texts that stick out of the canvas."""
    width, height = figure.get_size_inches() * figure.dpi
    return [
        name
        for name, (left, bottom, right, top) in text_boxes(figure).items()
        if left < -tolerance or bottom < -tolerance or right > width + tolerance or top > height + tolerance
    ]
