"""Say in which printed numbers two built books differ.

    python tools/printed.py OLD NEW

Both are folders of built pages, such as _build/html and a copy of it from before a change. Lines
of text, and rows of tables below the same heads, that have the same words in both, on whatever
page, are compared number by number. Those whose words changed are counted. The code of cells is
left out.
"""

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bs4 import BeautifulSoup, Tag

NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?!\w)")
LINES = "p, li, dt, dd, h1, h2, h3, .output pre"
LEFT_OUT = "script, style, .cell_input, .headerlink"

Numbers = tuple[str, ...]


def text_of(block: Tag) -> Iterator[str]:
    """Give the lines of a block; a row of a table comes with its heads before it."""
    for table in block.select("table"):
        head, *rows = (" | ".join(row.stripped_strings) for row in table.select("tr"))
        yield from (f"{head} :: {row}" for row in rows)
        table.decompose()
    for part in block.select(LINES):
        if not part.select_one(LINES):
            text = part.get_text()
            yield from text.splitlines() if part.name == "pre" else [text]


def lines(page: str) -> Iterator[tuple[str, Numbers]]:
    """Give the words of each line that has numbers, with a mark for each, and the numbers."""
    article = BeautifulSoup(page, "html.parser").select_one("article")
    if article is None:
        return
    for part in article.select(LEFT_OUT):
        part.decompose()
    for line in text_of(article):
        text = " ".join(line.replace("#", "").replace("−", "-").split())
        if numbers := NUMBER.findall(text):
            yield NUMBER.sub("#", text), tuple(numbers)


def read(site: Path) -> Counter[tuple[str, Numbers]]:
    """Count the lines of all pages."""
    pages = sorted(site.rglob("*.html"))
    return Counter(line for page in pages for line in lines(page.read_text(encoding="utf-8")))


def filled(line: tuple[str, Numbers]) -> str:
    """Put the numbers of a line back in their places."""
    numbers = iter(line[1])
    return re.sub("#", lambda _: next(numbers), line[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    asked = parser.parse_args()
    old, new = read(asked.old), read(asked.new)
    gone, come = old - new, new - old
    changed = {words for words, _ in gone} & {words for words, _ in come}
    for words in sorted(changed):
        for sign, left in (("-", gone), ("+", come)):
            for line in left:
                if line[0] == words:
                    print(sign, filled(line))
    lost, won = (
        sum(count for (words, _), count in some.items() if words not in changed)
        for some in (gone, come)
    )
    told = f"{(old & new).total()} lines the same, {len(changed)} with other numbers"
    print(f"{told}; {lost} in the old book alone, {won} in the new one")


if __name__ == "__main__":
    main()
