"""Pieces of HTML."""

from __future__ import annotations

import pytest

from chemores_dask.report.markup import Markup, element, joined, markup, paragraphs
from tests.report.page_reading import read_page

HOSTILE = "<script>alert('x')</script> & \"quoted\" 'single'"


def test_markup__escapes_everything_from_elsewhere():
    assert "<" not in markup(HOSTILE)
    assert '"' not in markup(HOSTILE)
    assert "'" not in markup(HOSTILE)
    assert read_page(element("p", HOSTILE)).text == HOSTILE


def test_markup__leaves_html_alone():
    assert markup(Markup("<b>x</b>")) == "<b>x</b>"


def test_markup__drops_control_characters_and_mends_broken_text():
    assert markup("a\x00\x1bb\udcff") == "ab?"


def test_element__escapes_attributes_even_of_html():
    page = read_page(element("img", attributes={"alt": Markup('"><script>'), "src": "x"}))
    assert page.values("alt") == ['"><script>']
    assert page.tags == ["img"]


@pytest.mark.parametrize("content", [["<a>", element("b", "<c>")], ("<a>", element("b", "<c>"))])
def test_joined__escapes_text_between_html(content):
    assert joined(content) == "&lt;a&gt;<b>&lt;c&gt;</b>"


def test_paragraphs__part_at_empty_lines():
    assert paragraphs("one\ntwo\n\n <three> ") == "<p>one two</p><p>&lt;three&gt;</p>"
    assert paragraphs("") == ""
