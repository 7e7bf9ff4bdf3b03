"""The errata and the glossary: complete, in order, and linked with the chapters both ways."""

import re

import pytest
import torch
from conftest import CHAPTERS, PAGES, ROOT, read_notebook
from test_dialect import LINK, anchors, complaints_about_link

from gencomp_utils import models, notebook, training
from gencomp_utils.data import load_mnist

APPENDIX = ROOT / "book" / "appendix"
ERRATA, GLOSSARY = APPENDIX / "errata.md", APPENDIX / "glossary.md"
SLIPS = range(1, 38)
KINDS = {"error", "gap", "wording", "misprint"}
MOST_WORDS, MOST_WORDS_IN_A_CELL = 1500, 12
CELL = re.compile(
    r"^```\{code-cell\} ipython3\n(?::[^\n]*\n)*\n?(.*?)^```$", re.DOTALL | re.MULTILINE
)
FOLDED = re.compile(r"^<details><summary>(.*?)</summary>.*?^</details>$", re.DOTALL | re.MULTILINE)
ROW = re.compile(r"^\| \[(\d+)\]\(#(\S+)\) " + r"\| ([^|\n]+) " * 5 + r"\|$", re.MULTILINE)
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def text_of(page: str) -> str:
    """Text of a page without its code."""
    if page in CHAPTERS:
        cells = read_notebook(page).cells
        return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return CELL.sub("", (ROOT / f"{page}.md").read_text(encoding="utf-8"))


def sections(text: str) -> dict[str, str]:
    """Entries of a page by their headings of level 2 and 3, in order."""
    parts = re.split(r"^##+ (.+)$", text, flags=re.MULTILINE)[1:]
    headed = list(zip(parts[::2], parts[1::2], strict=True))
    assert len(dict(headed)) == len(headed), "two headings are the same"
    return {title: body for title, body in headed if body.strip() and len(title) > 1}


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def numbers(text: str) -> list[str]:
    """Numbers in a text, formulas aside."""
    found = NUMBER.findall(re.sub(r"\$[^$]*\$", "", text).replace("−", "-"))
    return [number.replace(",", "") for number in found]


PAGE = ERRATA.read_text(encoding="utf-8")
PLAIN = text_of("book/appendix/errata")
ENTRIES = {title: body for title, body in sections(PLAIN).items() if title[0].isdigit()}
ROWS = {int(number): row for number, *row in ROW.findall(PLAIN)}
TERMS = sections(text_of("book/appendix/glossary"))
LINKS = {
    target.rpartition("/")[2]
    for page in PAGES
    if page != "book/appendix/glossary"
    for target in LINK.findall(text_of(page))
}


def test_every_slip_is_there_once_and_the_list_is_in_order():
    found = [int(title.split(".")[0]) for title in ENTRIES]
    first, others = found[:20], found[20:]
    assert sorted(found) == list(SLIPS)
    assert [first, others] == [sorted(first), sorted(others)]


def test_the_tables_agree_with_the_entries():
    assert [row[0] for row in ROWS.values()] == [slug(title) for title in ENTRIES]
    for (number, row), body in zip(ROWS.items(), ENTRIES.values(), strict=True):
        anchor, says, holds, kind, number_that_shows_it, link = row
        assert anchor.startswith(f"{number}-")
        assert kind in KINDS
        assert re.search(rf"\*\*{kind}\b", body, flags=re.IGNORECASE), anchor
        assert max(len(says.split()), len(holds.split())) <= MOST_WORDS_IN_A_CELL, anchor
        assert numbers(number_that_shows_it), anchor
        assert re.fullmatch(r"\[[^\]]+\]\(\.\./[\w/-]+\.ipynb#[^)]+\)", link), anchor


def test_what_is_printed_wrongly_or_misses_something_comes_first():
    kinds = [row[3] for row in ROWS.values()]
    assert set(kinds[:20]) <= {"error", "gap"}


def test_the_page_is_soon_read():
    shown = FOLDED.sub(r"\1", PLAIN.split("---\n", 2)[2])
    shown = re.sub(r"\$[^$]+\$", "formula", re.sub(r"\]\([^)]*\)+", "]", shown))
    assert len(re.sub(r"[|#>*\[\]-]", " ", shown).split()) <= MOST_WORDS


@pytest.mark.parametrize("title", ENTRIES)
def test_an_entry_quotes_a_line_and_links_to_a_chapter(title):
    opening = r"\n+(?:<details><summary>The line</summary>\n\n)?"
    assert re.match(opening + r'> ".+?"\s+(> )?\(§\d', ENTRIES[title], flags=re.DOTALL)
    assert re.search(r"\]\(\.\./[\w/-]+\.ipynb[^)]*\)", ENTRIES[title])


@pytest.fixture(scope="module")
def demonstrated(mnist) -> dict[str, str]:
    """Execute the page's cells; return what those of each entry say."""
    said: dict[str, list[str]] = {}
    names: dict[str, object] = {}
    title = ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notebook, "display", lambda shown: said[title].append(shown.data))
        for part in re.split(r"^(?=##)", PAGE, flags=re.MULTILINE):
            title = part.splitlines()[0].lstrip("# ")
            said[title] = []
            for code in CELL.findall(part):
                exec(compile(code, title, "exec"), names)
    return {title: "\n".join(texts) for title, texts in said.items()}


@pytest.mark.parametrize("title", ENTRIES)
def test_a_number_of_the_tables_is_that_of_the_demonstration(demonstrated, title):
    number = ROWS[int(title.split(".")[0])][4]
    bold = " ".join(re.findall(r"\*\*(.+?)\*\*", demonstrated[title]))
    shown = numbers(bold if demonstrated[title] else ENTRIES[title])
    assert set(numbers(number)) <= set(shown), f"{number} isn't among {shown}"


def test_two_updates_with_all_images_could_not_give_the_printed_loss(mnist):
    """Erratum 29; the gradient of a hundred images is close enough to that of all."""
    config = models.VAEConfig(batch_size=100)
    images = torch.tensor(load_mnist().train_images[:100])
    state = training.start(config)
    losses = [
        loss.item() / 784  # before the update
        for epoch in range(3)
        for loss, _ in training.epoch_steps(state, config, images, images, epoch)
    ]
    assert losses[2] == pytest.approx(0.69, abs=0.005)


def test_the_terms_are_sorted_under_their_letters():
    slugs = [slug(term) for term in TERMS]
    assert slugs == sorted(slugs)
    headings = re.findall(r"^##+ (.+)$", text_of("book/appendix/glossary"), flags=re.MULTILINE)
    letters = [heading for heading in headings if len(heading) == 1]
    assert letters == sorted({term[0] for term in TERMS})


@pytest.mark.parametrize("page", sorted(APPENDIX.glob("*.md")), ids=lambda page: page.stem)
def test_every_link_of_a_page_of_the_appendix_leads_somewhere(page):
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
