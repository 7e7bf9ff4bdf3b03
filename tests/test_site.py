"""The site as published: what it says of itself, its weight, the keyboard, paper."""

import gzip
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import PAGES, ROOT, Quiet, built, parse, serve
from pdf import bind, chapters, write_pdf
from PIL import Image
from pypdf import PdfReader

pytestmark = pytest.mark.slow

STATIC_BYTES, VISIT_BYTES = 12_000_000, 1_500_000
MOST_STOPS, MOST_SHIFT = 12, 0.05
# The root page, the heaviest chapter, one that begins with formulas, and one with a live figure.
VISITED = [
    "book/intro", "book/mnist/vae", "book/autoencoding/evidence-lower-bound",
    "book/distance/jensen-shannon",
]  # fmt: skip

SHIFT = """
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture(scope="module")
def public() -> str:
    """Where the site is published, by _config.yml's one line."""
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    owner, name = settings["repository"]["url"].rsplit("/", 2)[1:]
    return f"https://{owner}.github.io/{name}/"


def where(public: str, page: str) -> str:
    return public if page == PAGES[0] else f"{public}{page}.html"


# What it says of itself


def test_a_page_says_what_it_is_about_where_it_is_and_how_it_looks(site, page, soup, public):
    said = {tag.get("name") or tag.get("property"): tag.get("content") for tag in soup("meta")}
    (canonical,) = soup("link", rel="canonical")
    assert canonical["href"] == said["og:url"] == where(public, page)
    assert said["description"] == said["og:description"]
    assert 30 <= len(said["description"]) <= 202, said["description"]
    assert not re.search(r"[\\{}^$]|What it needs", said["description"]), said["description"]
    with Image.open(site / said["og:image"].removeprefix(public)) as picture:
        assert picture.size == (1200, 630)
        assert np.ptp(np.asarray(picture.convert("L"))) > 100
    assert len(soup("meta", {"name": "viewport"})) == 1


def test_descriptions_tell_pages_apart(site):
    descriptions = [
        parse(site / f"{built(page)}.html").find("meta", {"name": "description"})["content"]
        for page in PAGES
    ]
    assert len(set(descriptions)) == len(PAGES)


def test_the_site_map_lists_every_page(site, public):
    text = (site / "sitemap.xml").read_text(encoding="utf-8")
    assert sorted(re.findall("<loc>(.+)</loc>", text)) == sorted(where(public, p) for p in PAGES)


def test_the_page_for_lost_addresses_works_at_any_depth(site, public):
    soup = parse(site / "404.html")
    links = [tag.get("href") or tag.get("src") for tag in soup(["a", "link", "script"])]
    links = [link for link in links if link and not link.startswith("#")]
    assert all(link.startswith("https://") for link in links), links
    own = [link.removeprefix(public).partition("?")[0].partition("#")[0] for link in links]
    missing = [name for name in own if "://" not in name and not (site / name).is_file()]
    assert not missing, missing


def test_the_index_is_the_introduction_itself(site):
    soup = parse(site / "index.html")
    assert soup.select_one("article h1")
    assert not soup("meta", {"http-equiv": "refresh"})


# Weight


def test_what_no_page_loads_is_not_published(site):
    weight = sum(file.stat().st_size for file in (site / "_static").rglob("*") if file.is_file())
    assert weight <= STATIC_BYTES, f"{weight:,} bytes"


class _Compressed(Quiet):
    """Sends text compressed, as hosts of sites do."""

    def copyfile(self, source: Any, outputfile: Any) -> None:
        outputfile.write(gzip.compress(source.read()))

    def send_header(self, keyword: str, value: str) -> None:
        if keyword == "Content-Length":
            keyword, value = "Content-Encoding", "gzip"
        super().send_header(keyword, value)


@pytest.fixture(scope="module")
def compressed(site: Path) -> Iterator[str]:
    with serve(site, _Compressed) as address:
        yield address


@pytest.mark.parametrize("page", VISITED)
@pytest.mark.parametrize("width", [390, 1280])
def test_a_first_visit_is_light_and_nothing_moves_under_the_reader(
    page, width, browser, compressed
):
    context = browser.new_context(viewport={"width": width, "height": 900})
    context.add_init_script(SHIFT)
    tab = context.new_page()
    tab.set_default_timeout(120_000)
    session = context.new_cdp_session(tab)
    session.send("Network.enable")
    session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda loaded: sizes.append(loaded["encodedDataLength"]))
    tab.goto(f"{compressed}/{built(page)}.html")
    tab.evaluate("() => MathJax.startup.promise")
    tab.wait_for_timeout(1000)
    shift = tab.evaluate("window.shift")
    context.close()
    assert sum(sizes) <= VISIT_BYTES, f"{sum(sizes):,.0f} bytes"
    assert shift <= MOST_SHIFT


# Keyboard


@pytest.mark.parametrize("page", PAGES)
def test_few_stops_lie_before_the_first_figure_that_moves(page, site, browser, address):
    figure = parse(site / f"{built(page)}.html").select_one(".gencomp-player, .gencomp-live")
    if figure is None:
        return
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.goto(f"{address}/{built(page)}.html", wait_until="domcontentloaded")
    inside = "(id) => document.getElementById(id).contains(document.activeElement)"
    for _ in range(MOST_STOPS):
        tab.keyboard.press("Tab")
        if tab.evaluate(inside, figure["id"]):
            break
        if f"#{figure['id']}" == tab.evaluate("document.activeElement.getAttribute('href')"):
            tab.keyboard.press("Enter")
            tab.wait_for_selector(f"[id='{figure['id']}'] :is(input, button)")
    else:
        pytest.fail(f"{page}: {MOST_STOPS} stops, and none is in {figure['id']}")
    context.close()


@pytest.mark.parametrize("side", ["primary", "secondary"])
def test_on_a_phone_the_list_of_pages_and_that_of_headings_can_be_called_in(side, browser, address):
    tab = browser.new_page(viewport={"width": 390, "height": 844}, reduced_motion="reduce")
    tab.goto(f"{address}/book/distance/jensen-shannon.html")
    button = tab.locator(f".{side}-toggle:visible")
    button.click()
    links = tab.locator("dialog[open] nav a:visible")
    links.first.wait_for()
    assert links.count() > 3
    tab.keyboard.press("Escape")
    links.first.wait_for(state="hidden")
    tab.close()


def test_what_goes_on_beyond_a_phones_edge_fades_until_it_is_scrolled_to(browser, address):
    tab = browser.new_page(viewport={"width": 390, "height": 844}, reduced_motion="reduce")
    tab.goto(f"{address}/book/comparing/gan-beside-vae.html")
    fading = tab.locator(".pst-scrollable-table-container.gencomp-more")
    fading.first.wait_for()
    count = fading.count()
    fading.first.evaluate("(box) => box.scrollTo(box.scrollWidth, 0)")
    tab.wait_for_function(
        "(count) => document.querySelectorAll("
        "'.pst-scrollable-table-container.gencomp-more').length === count - 1", arg=count
    )  # fmt: skip
    tab.set_viewport_size({"width": 3000, "height": 844})
    fading.first.wait_for(state="detached")
    tab.close()


# Paper


@pytest.mark.parametrize(("choice", "shown"), [("true", True), ("false", False)])
def test_paper_is_light_and_solutions_are_printed_or_not_as_chosen(choice, shown, browser, address):
    context = browser.new_context(color_scheme="dark")
    context.add_init_script("localStorage.setItem('theme', 'dark'); window.print = () => {}")
    tab = context.new_page()
    tab.goto(f"{address}/book/distance/jensen-shannon.html", wait_until="domcontentloaded")
    tab.locator(".btn-download-pdf-button, [onclick^=printPage]").first.wait_for(state="attached")
    tab.evaluate(f"printPage({choice})")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    tab.emulate_media(media="print")
    solution = tab.get_by_text("Solution", exact=True).first
    assert solution.is_visible() == shown
    assert tab.locator(".gencomp-player button, .bd-header-article, .headerlink").evaluate_all(
        "(all) => all.every((element) => !element.checkVisibility())"
    )
    assert tab.evaluate("document.documentElement.dataset.theme") == "light"
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    assert not tab.locator("details[open]").count()
    context.close()


def test_the_whole_book_is_one_document_whose_links_lead_within_it(site):
    listed = list(chapters())
    assert [page for page, _ in listed] == [built(page) for page in PAGES]
    some = [
        entry for entry in listed if entry[0] in ("index", "book/primer", "book/appendix/glossary")
    ]
    soup = parse_text(bind(site, some))
    names = {element["id"] for element in soup.select("[id]")}
    inside = [link["href"][1:] for link in soup.select("a[href^='#']")]
    assert inside
    assert not set(inside) - names
    assert not soup.select("article button, article input, article script")


@pytest.mark.parametrize("solutions", [True, False])
def test_the_printed_contents_say_where_each_page_begins(solutions, site, browser, tmp_path):
    second = "Entropy and the Kullback–Leibler divergence"
    copy = shutil.copytree(site, tmp_path / "site")
    titles = {"book/primer": "Primer", "book/distance/entropy-and-kl": second}
    listed = [entry for entry in chapters() if entry[0] in titles]
    pdf = tmp_path / "book.pdf"
    with ThreadPoolExecutor(1) as other:  # Playwright runs once a thread, and here for the tests
        other.submit(write_pdf, copy, listed, solutions, pdf).result()
    texts = [page.extract_text() for page in PdfReader(pdf).pages]
    begins = {
        title: int(re.search(rf"^{title} (\d+)$", texts[1], re.MULTILINE)[1]) - 1
        for title in titles.values()
    }
    for place, text in enumerate(texts[2:], start=2):
        title = "Primer" if place < begins[second] else second
        # A heading may take two lines, and the running head takes one.
        found = "".join(text.split()).count("".join(title.split()))
        assert found >= 1 + (place == begins[title]), place
    assert ("Solution" in "".join(texts)) == solutions


def parse_text(text: str) -> Any:
    from bs4 import BeautifulSoup

    return BeautifulSoup(text, "html.parser")
