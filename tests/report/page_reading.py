"""Read a page as a browser would, strictly."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

EMPTY = {"img", "meta", "br", "hr"}


@dataclass
class Page(HTMLParser):
    """Tags, attributes, texts and images of a page; complains about tags that do not match."""

    open_tags: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in EMPTY:
            self.open_tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags, f"</{tag}> closes nothing"
        assert self.open_tags.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and "style" not in self.open_tags:
            self.texts.append(data.strip())

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]

    def images(self) -> list[bytes]:
        return [
            b64decode(source.removeprefix("data:image/png;base64,"), validate=True) for source in self.values("src")
        ]


def read_page(source: str | Path) -> Page:
    page = Page()
    page.feed(source if isinstance(source, str) else source.read_text(encoding="utf-8"))
    page.close()
    assert not page.open_tags
    return page
