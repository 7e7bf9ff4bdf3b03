"""Every page of the built book: its files, then in a browser, light and dark, desktop and phone."""

import functools
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import numpy as np
import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from conftest import CHAPTERS, PAGES, ROOT, built, parse, run
from PIL import Image

from gencomp_utils.data import MNIST_FILES

pytestmark = pytest.mark.slow

PAGE_BYTES = 1_000_000
SCREENS = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 900}}
THEMES = ("light", "dark")
RULES_OF_COLOURS = ["color-contrast", "link-in-text-block"]
STOPS_SEEN: dict[str, set[str]] = {theme: set() for theme in THEMES}
# The theme's own, and harmless: it loads one of its scripts twice.
HARMLESS = {"Identifier 'THEBE_JS_URL' has already been declared"}

READY = """async () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  await window.MathJax?.startup?.promise;
  await document.fonts.ready;
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
  for (const animation of document.getAnimations()) animation.finish();
}"""

# What axe's rules of colours needn't see again: a formula's parts have the colour of the whole,
# and a word of code has that of the words of its kind. UNFOLD puts everything back.
FOLD = """() => {
  const known = new Set(), alike = [];
  for (const word of document.querySelectorAll("main pre span:not(:has(*))")) {
    const { color, backgroundColor, fontSize, fontWeight, opacity } = getComputedStyle(word);
    const paper = getComputedStyle(word.closest("pre")).backgroundColor;
    const kind = [color, backgroundColor, fontSize, fontWeight, opacity, paper].join();
    if (known.has(kind)) alike.push(word); else known.add(kind);
  }
  const formulas = document.querySelectorAll("mjx-container");
  window.folded = [...formulas, ...alike].map((whole) => {
    const plain = document.createTextNode(whole.textContent || "formula");
    whole.replaceWith(plain);
    return () => plain.replaceWith(whole);
  });
}"""
UNFOLD = "() => folded.forEach((restore) => restore())"

NAME = r"""(element) => {
  const label = element.id ? "#" + element.id : [element.localName, ...element.classList].join(".");
  const words = element.querySelector("img")?.alt ?? element.alt ?? element.textContent;
  return label + " “" + words.trim().replace(/\s+/g, " ").slice(0, 60) + "”";
}"""

# The outermost elements of which a part is out of reach: beyond the screen's edges, or of where the
# box that holds them can be scrolled to. The list of headings is no matter on a phone,
# where it waits beside the screen to be called in.
OUT_OF_REACH = f"""() => {{
  const edge = document.documentElement.clientWidth;
  const unseen = "mjx-assistive-mml, mjx-math *, .visually-hidden, svg *, #pst-secondary-sidebar";
  const scroller = (element) => {{
    for (let box = element.parentElement; box !== document.body; box = box.parentElement)
      if (/auto|scroll/.test(getComputedStyle(box).overflowX)) return box;
  }};
  const lost = [...document.querySelectorAll("main *")].filter((element) => {{
    const place = element.getBoundingClientRect();
    if (!place.width || !place.height || element.closest(unseen)) return false;
    const box = scroller(element);
    if (!box) return place.left < -1 || place.right > edge + 1;
    const start = box.getBoundingClientRect().left + box.clientLeft - box.scrollLeft;
    return place.left < start - 1 || place.right > start + box.scrollWidth + 1;
  }});
  return lost.filter((element) => !lost.includes(element.parentElement)).map({NAME});
}}"""

# Formulas that MathJax left alone, failed on, or shows in red because it doesn't know a macro.
BAD_FORMULAS = f"""() => {{
  const all = [...document.querySelectorAll(".math")];
  const failed = (formula) => !formula.querySelector("mjx-container")
    || formula.querySelector("mjx-merror, [data-mjx-error], [style*='color: red']");
  return all.filter(failed).map({NAME});
}}"""

# Text that a reader sees, with the signs of a formula or of markup that nothing rendered.
RAW_MARKUP = r"""() => {
  const signs = /\$\$|\$\\|\\[()\[\]]|\\(frac|log|mathbb|tag)\b|:::|\{(ref|cite|doc|eq|numref)\}/;
  const code = "pre, code, script, style, mjx-container, .highlight, .sig";
  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode())
    if (signs.test(texts.currentNode.data) && !texts.currentNode.parentElement.closest(code))
      found.push(texts.currentNode.data.trim().slice(0, 80));
  return found;
}"""


# Elements that Tab reaches.
STOPS = """() => {
  const kinds = "a[href], button, input, select, textarea, summary, [tabindex]";
  return [...document.querySelectorAll(kinds)].filter((element) => element.tabIndex >= 0
    && !element.disabled && element.checkVisibility({ visibilityProperty: true }));
}"""

PLAYER_STATE = """(player) => [
  player.querySelector("img").src,
  player.querySelector("img").alt,
  player.querySelector("output").textContent,
  player.querySelector("input[type=range]").getAttribute("aria-valuetext"),
]"""


# The files of the built book


def test_the_book_is_built_once(site):
    again = run([sys.executable, "tools/book.py"], ROOT)
    assert again.splitlines()[-1].startswith("Nothing changed"), again


def test_the_pages_on_images_say_which_they_show(site, mnist):
    counts = {"60,000", "10,000"}
    for page, wanted in {
        "vae": counts,
        "data": {*counts, *MNIST_FILES, *MNIST_FILES.values()},
    }.items():
        missing = wanted - set(parse(site / f"book/mnist/{page}.html").get_text().split())
        assert not missing, f"book/mnist/{page} doesn't print {missing}"


def test_a_page_adds_at_most_a_megabyte_to_the_theme(site, page, soup):
    file = f"{built(page)}.html"
    sources = {urljoin(f"/{file}", image["src"]).lstrip("/") for image in soup("img", src=True)}
    files = [file, *(source for source in sources if is_own_file(source))]
    weight = sum((site / name).stat().st_size for name in files)
    assert weight <= PAGE_BYTES, f"{page} weighs {weight:,} bytes: {files}"


def is_own_file(source: str) -> bool:
    return not source.startswith(("_static/", "data:", "http:", "https:"))


def test_a_page_holds_no_widget_state(page, soup):
    kinds = {script["type"] for script in soup("script", type=True)}
    widgets = {kind for kind in kinds if kind.startswith("application/vnd.jupyter")}
    assert not widgets, f"{page} holds {widgets}"


def test_a_page_shows_no_stderr(page, soup):
    shown = [element.get_text() for element in soup.select(".output.stderr")]
    assert not shown, f"{page} shows {shown}"


# In a browser


@dataclass(frozen=True)
class View:
    """A page as one reader sees it, and what happened while it was opened."""

    page: str
    theme: str
    tab: Any = field(repr=False)
    messages: list[str] = field(repr=False, default_factory=list)
    requests: list[str] = field(repr=False, default_factory=list)


@pytest.fixture(scope="module", params=[f"{page}-{theme}" for page in PAGES for theme in THEMES])
def opened(request: pytest.FixtureRequest, browser: Any, address: str) -> Iterator[View]:
    page, _, theme = request.param.rpartition("-")
    context = browser.new_context(
        viewport=SCREENS["phone"], color_scheme=theme, reduced_motion="reduce"
    )
    context.add_init_script(
        f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')"
    )
    tab = context.new_page()
    view = View(page, theme, tab)
    tab.on("pageerror", lambda error: view.messages.append(str(error)))
    tab.on("console", lambda message: note(view, message))
    tab.on("request", lambda sent: view.requests.append(sent.url))
    tab.on("websocket", lambda opened: view.requests.append(opened.url))
    tab.goto(f"{address}/{built(page)}.html", wait_until="load")
    yield view
    context.close()


@pytest.fixture(scope="module", params=SCREENS)
def view(request: pytest.FixtureRequest, opened: View) -> View:
    """Each page in each theme, as wide as each screen."""
    opened.tab.set_viewport_size(SCREENS[request.param])
    opened.tab.mouse.move(0, 0)
    opened.tab.evaluate("scrollTo(0, 0)")
    # A while after it, the theme decides anew which boxes scroll and need the keyboard's focus.
    opened.tab.wait_for_timeout(600)
    opened.tab.evaluate(READY)
    return opened


def note(view: View, message: Any) -> None:
    if message.type in ("error", "warning"):
        view.messages.append(f"{message.text} ({message.location['url']})")


def excerpt(findings: list[str], count: int = 10) -> str:
    """A few findings, one a line, and how many more there are."""
    more = [f"and {len(findings) - count} more"] if len(findings) > count else []
    return "\n".join(findings[:count] + more)


# What every reader is promised


def test_the_page_is_not_wider_than_the_screen(view):
    width, screen = view.tab.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert width <= screen, f"{width} pixels wide, by\n{excerpt(view.tab.evaluate(OUT_OF_REACH))}"


def test_everything_on_the_page_fits_or_scrolls_in_its_own_box(view):
    lost = view.tab.evaluate(OUT_OF_REACH)
    assert not lost, excerpt(lost)


def test_every_formula_is_typeset_and_no_markup_is_raw(view):
    bad = view.tab.evaluate(BAD_FORMULAS) + view.tab.evaluate(RAW_MARKUP)
    assert not bad, excerpt(bad)


def test_axe_finds_nothing_where_a_screen_matters(view):
    """A theme changes colours alone."""
    if view.theme == "light":
        axe(view, rules={rule: {"enabled": False} for rule in RULES_OF_COLOURS})


def test_axe_finds_no_fault_of_colour(view):
    if view.tab.viewport_size == SCREENS["desktop"]:
        view.tab.evaluate(FOLD)
        try:
            axe(view, runOnly=RULES_OF_COLOURS)
        finally:
            view.tab.evaluate(UNFOLD)


def axe(view: View, **rules: object) -> None:
    """Fail at a violation of any impact in what is ours, or a serious one in the theme's frame."""
    found = Axe().run(view.tab, options={"resultTypes": ["violations"], "preload": False} | rules)
    ours = "(selector) => document.querySelector('main').contains(document.querySelector(selector))"
    bad = [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
        if violation["impact"] in ("serious", "critical")
        or view.tab.evaluate(ours, node["target"][0])
    ]
    assert not bad, excerpt(bad)


def test_the_chosen_theme_is_shown(view):
    colour = view.tab.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = np.mean([int(part) for part in re.findall(r"\d+", colour)[:3]])
    assert brightness < 50 if view.theme == "dark" else brightness > 205, colour


def test_figures_have_the_paper_of_their_theme_and_ink_that_stands_out(view):
    for figure in view.tab.locator(".output:has(> .gencomp-figure, > .gencomp-diagram)").all():
        with Image.open(io.BytesIO(figure.screenshot())) as picture:
            grey = np.asarray(picture.convert("L"), dtype=int)
        edge = np.median(np.concatenate([grey[3], grey[-4], grey[:, 3], grey[:, -4]]))
        paper = np.median(grey)
        shown = f"edge {edge:.0f}, paper {paper:.0f} of 255: {figure.evaluate(NAME)}"
        assert max(edge, paper) < 80 if view.theme == "dark" else min(edge, paper) > 175, shown
        assert abs(grey - paper).max() > 100, f"nothing stands out: {shown}"


def test_a_term_shows_its_entry_of_the_glossary_to_whoever_gets_there_by_keyboard(view, site):
    terms = view.tab.locator("main a[href*='glossary.html#']:visible")
    if view.page == "book/appendix/glossary" or not terms.count():
        return
    term = terms.first
    entry = urldefrag(term.get_attribute("href")).fragment
    heading = parse(site / "book/appendix/glossary.html").find(id=entry).find(["h2", "h3"])
    term.blur()  # it has the focus still, where another screen came before
    term.focus()
    card = view.tab.locator(".tippy-box")
    card.wait_for(state="visible")
    assert heading.get_text().removesuffix("#") in card.inner_text()
    view.tab.keyboard.press("Escape")
    card.wait_for(state="detached")


def test_where_the_keyboard_is_can_be_seen(view):
    """Each kind of Tab stop, on the first page that has one, looks otherwise with the focus."""
    tab, known = view.tab, STOPS_SEEN[view.theme]
    if tab.viewport_size != SCREENS["desktop"]:
        return
    still = tab.locator("span.math [tabindex='0']:not(.gencomp-wide)").count()
    assert not still, "formulas that don't scroll are Tab stops"
    kinds, unseen = set(), []
    for element in tab.evaluate_handle(STOPS).get_properties().values():
        stop = element.as_element()
        kind = stop.evaluate("(element) => element.localName + '.' + element.className")
        if kind in kinds or not stop.is_visible():
            continue
        kinds.add(kind)
        if kind in known:
            continue
        stop.scroll_into_view_if_needed()
        pictures = []
        for act in ("focus", "blur"):
            stop.evaluate(f"(element) => element.{act}({{ focusVisible: true }})")
            pictures.append(picture_around(view, stop.bounding_box()))
        if pictures[0].shape == pictures[1].shape and np.ptp(pictures[0] - pictures[1]) < 40:
            unseen.append(kind)
    known |= kinds
    assert len(kinds) > 10, kinds
    assert not unseen, unseen


def picture_around(view: View, place: dict[str, float], margin: float = 6) -> np.ndarray:
    """Shades of a part of the screen and of what is close to it, when nothing fades any more."""
    clip = {
        "x": max(place["x"] - margin, 0), "y": max(place["y"] - margin, 0),
        "width": place["width"] + 2 * margin, "height": place["height"] + 2 * margin,
    }  # fmt: skip
    with Image.open(io.BytesIO(view.tab.screenshot(clip=clip, animations="disabled"))) as picture:
        return np.asarray(picture.convert("L"), dtype=int)


# Frame players


def test_players_play_and_pause_by_mouse(view):
    players = view.tab.locator(".gencomp-player").all()
    if not players:
        return
    # The page's clock is the test's, so that no player gets to its end on a slow machine.
    view.tab.clock.install()
    view.tab.clock.pause_at(view.tab.evaluate("Date.now() + 1"))
    for player in players:
        name = player.evaluate(NAME)
        player.get_by_role("slider").press("Home")
        before = player.evaluate(PLAYER_STATE)
        player.get_by_role("button", name="Play").click()
        view.tab.clock.run_for(400)
        playing = player.evaluate(PLAYER_STATE)
        assert all(map(str.__ne__, playing, before)), f"{name} doesn't play: {playing[1:]}"
        player.get_by_role("button", name="Pause").click()
        view.tab.clock.run_for(1000)
        assert player.evaluate(PLAYER_STATE) == playing, f"{name} doesn't pause"
    view.tab.clock.resume()


def test_players_are_labelled_and_moved_by_keyboard(view):
    for player in view.tab.locator(".gencomp-player").all():
        name = player.evaluate(NAME)
        slider = player.get_by_role("slider", name=re.compile(r"\w"))
        assert slider.count() == 1, f"{name} has no slider with a name"
        slider.focus()
        slider.press("Home")
        first = player.evaluate(PLAYER_STATE)
        slider.press("ArrowRight")
        second = player.evaluate(PLAYER_STATE)
        assert all(map(str.__ne__, first, second)), f"{name} doesn't move: {second[1:]}"
        slider.press("ArrowLeft")
        assert player.evaluate(PLAYER_STATE) == first, f"{name} doesn't move back"


# What happened meanwhile


def test_the_console_is_silent(view):
    unexpected = set(view.messages) - HARMLESS
    assert not unexpected, unexpected


def test_nothing_is_asked_of_another_machine(view, address):
    outside = [url for url in view.requests if not url.startswith((address, "data:", "blob:"))]
    assert not outside, outside


# What needs no browser


@pytest.mark.parametrize(
    "looked_at", [".gencomp-player", ".gencomp-figure img", ".gencomp-diagram svg", ".math"]
)
def test_the_tests_above_had_something_to_look_at(site, looked_at):
    assert any(parse(site / f"{built(page)}.html").select(looked_at) for page in PAGES)


def test_every_image_is_described_in_words(page, soup):
    described = re.compile(r"\w+ \w+")
    file_name = re.compile(r"\.(png|jpe?g|svg|gif|webp)$", re.IGNORECASE)
    alts = [image.get("alt") or "" for image in soup.select("main img")]
    bad = [alt for alt in alts if not described.search(alt) or file_name.search(alt)]
    assert not bad, f"{page}: alternative texts that say nothing: {bad}"


@pytest.mark.parametrize("extra", ["index", "genindex", "search"])
def test_every_link_of_the_other_pages_leads_somewhere(site, extra):
    broken = broken_links(site, extra)
    assert not broken, f"{extra}: {broken}"


def test_old_addresses_lead_to_new_pages(site):
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    for old in settings["sphinx"]["config"]["redirects"]:
        (refresh,) = parse(site / old)("meta", {"http-equiv": "refresh"})
        target = refresh["content"].partition("url=")[2]
        assert leads_somewhere(site, old.removesuffix(".html"), target or "nowhere"), (
            f"{old}: {refresh}"
        )


def test_every_link_leads_somewhere(site, page):
    broken = broken_links(site, page)
    assert not broken, f"{page}: {broken}"


def broken_links(site: Path, page: str) -> list[str]:
    """Links to this site whose file or anchor isn't there."""
    soup = parse(site / f"{built(page)}.html")
    links = [tag.get("href") or tag.get("src") for tag in soup(["a", "link", "img", "script"])]
    links += [
        tag["content"].partition("url=")[2] for tag in soup("meta", {"http-equiv": "refresh"})
    ]
    return [link for link in filter(None, links) if not leads_somewhere(site, page, link)]


def leads_somewhere(site: Path, page: str, link: str) -> bool:
    target, anchor = urldefrag(urljoin(f"/{built(page)}.html", link))
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return True
    file = site / unquote(parts.path).lstrip("/")
    if not file.is_file() or not anchor:
        return file.is_file()
    return unquote(anchor) in anchors(file)


@functools.cache
def anchors(file: Path) -> set[str]:
    """What a link may name on a built page."""
    named = parse(file)(lambda tag: tag.has_attr("id") or tag.has_attr("name"))
    return {tag[name] for tag in named for name in ("id", "name") if tag.has_attr(name)}


def test_launch_links_open_this_repository_and_only_notebooks_go_to_colab(page, soup):
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    edition = settings["repository"]["branch"]
    owner_and_name = settings["repository"]["url"].removeprefix("https://github.com/")
    source = f"{page}.ipynb" if page in CHAPTERS else f"{page}.md"
    links = [tag["href"] for tag in soup("a", href=True)]
    colab = [link for link in links if "colab.research.google.com" in link]
    binder = [link for link in links if "mybinder.org" in link]
    assert all(f"/github/{owner_and_name}/blob/{edition}/{source}" in link for link in colab), colab
    assert all(f"/gh/{owner_and_name}/{edition}" in link and source in link for link in binder), (
        binder
    )
    assert bool(colab) == (page in CHAPTERS), f"{page} has these links to Colab: {colab}"
