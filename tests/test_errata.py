"""The errata and the glossary: complete, in order, and linked with the chapters both ways."""

import re
from pathlib import Path

import pytest
from conftest import CHAPTERS, PAGES, ROOT, read_notebook
from test_dialect import LINK, anchors, complaints_about_link

APPENDIX = ROOT / "book" / "appendix"
ERRATA, GLOSSARY = APPENDIX / "errata.md", APPENDIX / "glossary.md"
SLIPS = range(1, 37)
CELL = re.compile(
    r"^```\{code-cell\} ipython3\n(?::[^\n]*\n)*\n(.*?)^```$", re.DOTALL | re.MULTILINE
)
ROW = re.compile(r"^\| \[(\d+)\]\(#(\S+)\) \| [\d.]+ \| (\w+) \|", re.MULTILINE)


def text_of(page: str) -> str:
    """Text of a page without its code."""
    if page in CHAPTERS:
        cells = read_notebook(page).cells
        return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return CELL.sub("", (ROOT / f"{page}.md").read_text(encoding="utf-8"))


def sections(page: Path) -> dict[str, str]:
    """Entries of a page by their headings of level 3, in order."""
    parts = re.split(r"^##+ (.+)$", text_of(f"book/appendix/{page.stem}"), flags=re.MULTILINE)[1:]
    headed = list(zip(parts[::2], parts[1::2], strict=True))
    assert len(dict(headed)) == len(headed), "two headings are the same"
    return {title: body for title, body in headed if body.strip() and len(title) > 1}


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


ENTRIES = {title: body for title, body in sections(ERRATA).items() if title[0].isdigit()}
TERMS = sections(GLOSSARY)
LINKS = {
    target.rpartition("/")[2]
    for page in PAGES
    if page != "book/appendix/glossary"
    for target in LINK.findall(text_of(page))
}


def test_every_slip_is_there_once_and_in_order():
    assert [int(title.split(".")[0]) for title in ENTRIES] == list(SLIPS)


def test_the_table_agrees_with_the_entries():
    rows = ROW.findall(text_of("book/appendix/errata"))
    assert [anchor for _, anchor, _ in rows] == [slug(title) for title in ENTRIES]
    for (number, anchor, kind), body in zip(rows, ENTRIES.values(), strict=True):
        assert anchor.startswith(f"{number}-")
        assert re.search(rf"\*\*{kind}\b", body, flags=re.IGNORECASE), anchor


@pytest.mark.parametrize("title", ENTRIES)
def test_an_entry_quotes_a_line_and_links_to_a_chapter(title):
    assert re.match(r'\n+> ".+?"\s+(> )?\(§\d', ENTRIES[title], flags=re.DOTALL)
    assert re.search(r"\]\(\.\./[\w/-]+\.ipynb[^)]*\)", ENTRIES[title])


def test_the_terms_are_sorted_under_their_letters():
    slugs = [slug(term) for term in TERMS]
    assert slugs == sorted(slugs)
    headings = re.findall(r"^##+ (.+)$", text_of("book/appendix/glossary"), flags=re.MULTILINE)
    letters = [heading for heading in headings if len(heading) == 1]
    assert letters == sorted({term[0] for term in TERMS})


@pytest.mark.parametrize("page", [ERRATA, GLOSSARY], ids=lambda page: page.stem)
def test_every_link_of_the_page_leads_somewhere(page):
    for target in LINK.findall(text_of(f"book/appendix/{page.stem}")):
        if target.startswith("#"):
            assert target[1:] in anchors(page), target
        else:
            assert not list(complaints_about_link(target, APPENDIX)), target


def test_a_chapter_links_back_to_the_errata():
    assert any("errata.md" in text_of(chapter) for chapter in CHAPTERS)


@pytest.mark.parametrize("term", TERMS)
def test_a_term_is_linked_from_another_page(term):
    assert f"glossary.md#{slug(term)}" in LINKS, f"nobody links to {term}"
