"""Figures within the page."""

from __future__ import annotations

from io import BytesIO

from matplotlib.image import imread

from chemores_dask.figures.gallery import FIGURES
from chemores_dask.figures.style import message_figure, new_figure
from chemores_dask.report.pictures import MOST_PIXELS, image_element
from tests.figures.examples_of_results import scan_result
from tests.report.page_reading import read_page


def test_image_element__holds_the_image_and_says_what_it_shows():
    figure = FIGURES["volcano"].function(scan_result())
    page = read_page(image_element(figure, caption="Every <gene>", number=3))
    (image,) = page.images()
    assert imread(BytesIO(image), format="png").shape[2] == 4
    (alternative,) = page.values("alt")
    assert alternative.startswith("Every <gene>. 14 of 497 genes with q < 0.05. n = 200 patients")
    assert page.text == "Figure 3. Every <gene>"


def test_image_element__describes_messages():
    page = read_page(image_element(message_figure("There are no cells."), caption="", number=1))
    assert page.values("alt") == ["There are no cells."]


def test_image_element__keeps_tall_figures_within_limits():
    page = read_page(image_element(new_figure(width=2, height=600), caption="", number=1))
    height = imread(BytesIO(page.images()[0]), format="png").shape[0]
    assert height <= MOST_PIXELS


def test_image_element__is_the_same_every_time():
    once, again = (image_element(message_figure("x"), caption="", number=1) for _ in range(2))
    assert once == again
