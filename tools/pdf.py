"""Print the built book into one PDF: bookmarks, page numbers, links that lead within it."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urldefrag, urljoin

import yaml
from browser import advice, find
from bs4 import BeautifulSoup, Tag

from book import BUILD, ROOT

SITE = BUILD / "html"
PDF = BUILD / "gencomp-book.pdf"
# What is on a page for its reader at a screen.
ON_SCREEN = "script, button, input, .headerlink, .tippy-box"


def chapters() -> Iterator[tuple[str, str]]:
    """Yield the pages in reading order, with the caption of the part that begins there, or none."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    yield "index", ""
    for part in toc["parts"]:
        for place, chapter in enumerate(part["chapters"]):
            yield chapter["file"], "" if place else part["caption"]


def parse(site: Path, page: str) -> BeautifulSoup:
    return BeautifulSoup((site / f"{page}.html").read_text(encoding="utf-8"), "html.parser")


def anchor(page: str, name: str = "") -> str:
    """Return the name that a place on a page has in the whole book."""
    return f"{page.replace('/', '--')}{'--' if name else ''}{name}"


def take(soup: BeautifulSoup, page: str, pages: set[str]) -> Tag:
    """Return a page's article; its anchors are the book's, its links lead there or to the site."""
    article = soup.select_one("article.bd-article")
    base = soup.select_one("link[rel=canonical]")["href"]
    for element in article.select(ON_SCREEN):
        element.decompose()
    for element in article.select("[id]"):
        if not element.find_parent("svg"):
            element["id"] = anchor(page, element["id"])
    for link in article.select("a[href]"):
        target, place = urldefrag(urljoin(f"/{page}.html", link["href"]))
        inside = target.removeprefix("/").removesuffix(".html")
        if target.startswith("/") and inside in pages:
            link["href"] = f"#{anchor(inside, place)}"
        else:
            link["href"] = urljoin(base, link["href"])
    for image in article.select("img[src]"):
        image["src"] = urljoin(f"/{page}.html", image["src"]).removeprefix("/")
    article["id"] = anchor(page)
    return article


def bind(site: Path, listed: list[tuple[str, str]]) -> str:
    """Put pages of the site into one, after a title and a table of contents."""
    whole = parse(site, "index")
    pages = {page for page, _ in listed}
    contents, articles, heads = [], [], []
    for page, part in listed:
        soup = parse(site, page)
        article = take(soup, page, pages)
        title = article.find("h1").get_text()
        words = json.dumps(title, ensure_ascii=False)  # as CSS writes a text, too
        heads.append(f"@page {anchor(page)} {{ @top-center {{ content: {words}; }} }}")
        article["style"] = f"page: {anchor(page)}"
        if part:
            contents.append(f'<p class="book-part">{part}</p>')
        contents.append(f'<p><a href="#{anchor(page)}">{title}</a></p>')
        articles.append(str(article))
    name = whole.select_one("meta[property='og:site_name']")["content"]
    address = whole.select_one("link[rel=canonical]")["href"]
    notice = whole.select_one(".bd-footer-content").get_text(" ", strip=True)
    whole.title.string = name
    whole.body.clear()
    for script in whole.head("script", src=True):
        if "mathjax" not in script["src"]:
            script.decompose()
    front = (
        f'<div class="book-title"><p>{name}</p><p><a href="{address}">{address}</a></p>'
        f"<p>{notice}</p></div>"
        f'<nav class="book-contents"><h1>Contents</h1>{"".join(contents)}</nav>'
    )
    style = whole.new_tag("style")
    style.string = "\n".join(heads)
    whole.head.append(style)
    main = BeautifulSoup(
        f'<main class="bd-main book">{front}{"".join(articles)}</main>', "html.parser"
    )
    whole.body.append(main)
    return str(whole)


def begins(pdf: Path) -> dict[str, int]:
    """Tell the page of each place to which a link leads."""
    from pypdf import PdfReader

    book = PdfReader(pdf)
    places = book.named_destinations.items()
    return {
        name.removeprefix("/"): book.get_destination_page_number(place) + 1
        for name, place in places
    }


def write_pdf(site: Path, listed: list[tuple[str, str]], solutions: bool, pdf: Path) -> None:
    """Print pages of the site; a RuntimeError where there is no browser."""
    browser = find()
    if browser is None:
        raise RuntimeError(f"the book is printed by Chromium, and there is none; type: {advice()}")
    from playwright.sync_api import sync_playwright

    # It lies beside the files that it shows.
    page = site / "whole.html"
    page.write_text(bind(site, listed), encoding="utf-8")
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            tab = chromium.new_page(color_scheme="light")
            tab.set_default_timeout(0)
            tab.goto(page.as_uri())
            tab.evaluate("() => MathJax.startup.promise")
            tab.evaluate(
                "(open) => document.querySelectorAll('details:not(.toggle-details, .hide)')"
                ".forEach((details) => { details.open = open; })",
                solutions,
            )
            form = {"format": "A4", "prefer_css_page_size": True, "outline": True, "tagged": True}
            tab.pdf(path=pdf, **form)
            # Where a page of the site begins on paper is known once it has been printed.
            tab.evaluate(
                "(begins) => document.querySelectorAll('.book-contents a').forEach((link) => "
                "{ link.dataset.page = begins[link.hash.slice(1)]; })",
                begins(pdf),
            )
            tab.pdf(path=pdf, **form)
            chromium.close()
    finally:
        page.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--without-solutions", action="store_true", help="leave solutions out")
    options = parser.parse_args()
    try:
        write_pdf(SITE, list(chapters()), not options.without_solutions, PDF)
    except RuntimeError as error:
        sys.exit(str(error))
    print(f"The book is printed: {PDF}")


if __name__ == "__main__":
    main()
