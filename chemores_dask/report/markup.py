"""HTML in small pieces. Everything that is not made here is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

UNSEEN = {code: None for code in range(32) if chr(code) not in "\t\n\r"}
EMPTY = ("img", "meta", "br", "hr")


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def markup(value: object) -> Markup:
    """A value as HTML: escaped, unless it is HTML already.

    Parameters
    ----------
    value
        Anything; its text is used.

    Returns
    -------
    HTML.

    Examples
    --------
    >>> markup("a < b & c"), markup(Markup("<b>x</b>"))
    ('a &lt; b &amp; c', '<b>x</b>')
    """
    if isinstance(value, Markup):
        return value
    # Lone surrogates come from file names; they cannot be written as UTF-8.
    text = str(value).translate(UNSEEN).encode("utf-8", "replace").decode("utf-8")
    return Markup(escape(text, quote=True))


def element(tag: str, content: object = "", *, attributes: Mapping[str, object] | None = None) -> Markup:
    """An element.

    Parameters
    ----------
    tag
        Its name.
    content
        Text, HTML, or several of these.
    attributes
        By name; values are escaped.

    Returns
    -------
    HTML.

    Examples
    --------
    >>> element("p", ["x ", element("b", "<y>")], attributes={"class": "note"})
    '<p class="note">x <b>&lt;y&gt;</b></p>'
    """
    written = "".join(f' {name}="{markup(str(value))}"' for name, value in (attributes or {}).items())
    if tag in EMPTY:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{joined(content)}</{tag}>")


def joined(content: object, *, between: str = "") -> Markup:
    """Several pieces as one.

    Parameters
    ----------
    content
        Text, HTML, or several of these.
    between
        Plain text between the pieces.

    Returns
    -------
    HTML.
    """
    if isinstance(content, (str, bytes)) or not isinstance(content, Iterable):
        return markup(content)
    return Markup(markup(between).join(markup(piece) for piece in content))


def paragraphs(text: str) -> Markup:
    """Plain text as paragraphs, parted at empty lines.

    Parameters
    ----------
    text
        Plain text.

    Returns
    -------
    HTML.
    """
    parts = [" ".join(part.split()) for part in text.replace("\r", "").split("\n\n")]
    return joined([element("p", part) for part in parts if part])
