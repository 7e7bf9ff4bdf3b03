"""Figures that run in the page: on the site, from a disk, in a frame without an origin."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import PAGES, built, parse

from gencomp_utils import live
from gencomp_utils.figures import live_theory as draw
from gencomp_utils.live import core

pytestmark = pytest.mark.slow

FIGURES = (
    "bound", "collapse", "discriminator", "distributions",
    "explorer", "game", "generator", "stamps",
)  # fmt: skip
HTML_BYTES = 30_000
MODEL_BYTES = 1_500_000  # of what the explorer loads
READY = ".gencomp-live[data-figure={}]:is([data-state=ready], [data-state=paused])"
CHOOSE = "try {{ localStorage.mode = localStorage.theme = '{}'; }} catch {{ }}"
CONTROLS = ":is(input, select, button):visible"


def page_of(site: Path, figure: str) -> str:
    """Name the first page of the book with such a figure."""
    for page in PAGES:
        if parse(site / f"{built(page)}.html").select(f".gencomp-live[data-figure={figure}]"):
            return built(page)
    raise AssertionError(f"no page has the figure {figure}")


@pytest.fixture(scope="module", params=FIGURES)
def figure(request: pytest.FixtureRequest) -> str:
    return request.param


@contextmanager
def phone(browser: Any, **options: Any) -> Iterator[Any]:
    """Open a tab with a finger, for somebody who wants no motion; its console is to be silent."""
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, reduced_motion="reduce", **options
    )
    context.add_init_script(CHOOSE.format("light"))
    tab = context.new_page()
    messages: list[str] = []
    tab.on("pageerror", lambda error: messages.append(str(error)))
    tab.on("console", lambda said: messages.append(said.text) if said.type == "error" else None)
    yield tab
    unexpected = [message for message in messages if "THEBE_JS_URL" not in message]
    context.close()
    assert not unexpected, unexpected


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    with phone(browser) as tab:
        yield tab


@pytest.fixture(scope="module")
def root(browser: Any, address: str, site: Path, figure: str) -> Iterator[Any]:
    """Each figure, running on its page."""
    with phone(browser) as tab:
        yield opened(tab, f"{address}/{page_of(site, figure)}.html", figure)


def opened(tab: Any, address: str, figure: str) -> Any:
    """Open a page, and bring its figure into view."""
    tab.goto(address)
    tab.locator(f".gencomp-live[data-figure={figure}]").first.scroll_into_view_if_needed()
    name = tab.locator(READY.format(figure)).first.get_attribute("id")
    return tab.locator(f"#{name}")


def waits_for_a_drawing(root: Any, act: Any) -> None:
    """Do something that must lead to another drawing."""
    before = int(root.get_attribute("data-frames") or 0)
    act()
    handle = root.element_handle()
    root.page.wait_for_function("([e, n]) => Number(e.dataset.frames) > n", arg=[handle, before])


# On the site


def test_a_figure_is_light_until_it_is_wanted(site, figure):
    page = page_of(site, figure)
    found = parse(site / f"{page}.html").select(f".gencomp-live[data-figure={figure}]")
    assert max(len(str(one)) for one in found) <= HTML_BYTES


def test_the_explorers_networks_are_small_enough(site):
    folder = site / "_static" / "live" / "models"
    sizes = {name: (folder / f"{name}.js").stat().st_size for name in ("vae", "classifier")}
    assert sum(sizes.values()) <= MODEL_BYTES, sizes


def test_a_figure_runs_from_a_disk(tab, site, figure):
    root = opened(tab, (site / f"{page_of(site, figure)}.html").as_uri(), figure)
    assert root.locator(CONTROLS).count()
    assert not root.locator("> .gencomp-figure").is_visible()
    label = root.locator("canvas").first.get_attribute("aria-label")
    assert re.search(r"\w+ \w+ \w+", label), f"the canvas says {label!r}"


def test_every_control_is_reached_and_moved_by_keyboard(root):
    controls = root.locator(CONTROLS)
    controls.first.focus()
    reached = []
    for _ in range(60):
        inside = root.evaluate(
            """(root) => root.contains(document.activeElement) &&
              [...root.querySelectorAll("input, select, button")].indexOf(document.activeElement)"""
        )
        if inside is False:
            break
        reached.append(inside)
        root.page.keyboard.press("Tab")
    missed = set(range(root.locator("input, select, button").count())) - set(reached)
    hidden = {i for i in missed if not root.locator("input, select, button").nth(i).is_visible()}
    disabled = {i for i in missed if root.locator("input, select, button").nth(i).is_disabled()}
    assert missed <= hidden | disabled
    for slider in root.locator("input[type=range]:visible:enabled").all():
        before = slider.get_attribute("aria-valuetext")
        at_end = slider.evaluate("(input) => Number(input.value) === Number(input.max)")
        slider.press("ArrowLeft" if at_end else "ArrowRight")
        assert slider.get_attribute("aria-valuetext") != before


def test_a_finger_moves_it(root):
    slider, button = (
        root.locator("input[type=range]:visible:enabled"),
        root.locator("button:visible"),
    )
    if slider.count():
        slider.first.scroll_into_view_if_needed()
        box = slider.first.bounding_box()
        middle = box["y"] + box["height"] / 2
        at = slider.first.evaluate("(s) => (s.value - s.min) / (s.max - s.min)")
        where = box["x"] + box["width"] * (0.2 if at > 0.5 else 0.8)
        waits_for_a_drawing(root, lambda: root.page.touchscreen.tap(where, middle))
    else:
        waits_for_a_drawing(root, lambda: button.first.tap())


@pytest.mark.parametrize(("theme", "width"), [("light", 360), ("dark", 1280)])
def test_axe_finds_nothing_in_a_running_figure(tab, address, site, figure, theme, width):
    tab.add_init_script(CHOOSE.format(theme))
    tab.set_viewport_size({"width": width, "height": 740})
    opened(tab, f"{address}/{page_of(site, figure)}.html", figure)
    found = Axe().run(
        tab,
        context={"include": [[f".gencomp-live[data-figure={figure}]"]]},
        options={"resultTypes": ["violations"], "preload": False},
    )
    violations = [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]
    assert not violations, violations
    wide, screen = tab.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= screen


def test_the_address_sets_the_controls_and_follows_them(tab, address, site):
    page = f"{address}/{page_of(site, 'bound')}.html"
    root = opened(tab, f"{page}#live-bound-1:mu=1.5,sigma=0.4", "bound")
    slider = root.locator("input[type=range]").first
    assert slider.input_value() == "1.5"
    slider.press("ArrowRight")
    tab.wait_for_url(re.compile(r"mu=1\.55"))


def test_an_address_with_nonsense_does_no_harm(tab, address, site):
    page = f"{address}/{page_of(site, 'bound')}.html"
    root = opened(tab, f"{page}#live-bound-1:mu=NaN,sigma=<b>,other=1,__proto__=2", "bound")
    assert float(root.locator("input[type=range]").first.input_value()) == 0.0


def test_networks_are_loaded_when_they_are_wanted(tab, address, site):
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    root = opened(tab, f"{address}/{page_of(site, 'generator')}.html", "generator")
    assert not [url for url in asked if "/models/" in url]
    waits_for_a_drawing(root, lambda: root.locator("button:visible").first.click())
    tab.wait_for_function("() => globalThis.gencomp.models?.generator")
    assert [url for url in asked if url.endswith("/models/generator.js")]


@pytest.mark.parametrize(
    ("figure", "settings", "shown"),
    [
        ("explorer", "image=4,z1=1.5,z2=-1", "z = 1.50, −1.00"),
        ("generator", "from=3,to=5,t=1", "3 to 5"),
    ],
)
def test_an_address_that_sets_a_network_loads_it(tab, address, site, figure, settings, shown):
    page = f"{address}/{page_of(site, figure)}.html"
    root = opened(tab, f"{page}#live-{figure}-1:{settings}", figure)
    tab.locator(f"#live-{figure}-1[data-weights=ready]").wait_for()
    drawn = root.locator(f"canvas[aria-label*='{shown}']")
    drawn.wait_for()


def test_a_game_plays_until_it_is_out_of_sight(tab, address, site):
    root = opened(tab, f"{address}/{page_of(site, 'game')}.html", "game")
    waits_for_a_drawing(root, lambda: root.get_by_role("button", name="Play").click())
    assert root.get_attribute("data-state") == "playing"
    tab.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    tab.locator(READY.format("game")).first.wait_for(state="attached")


def test_on_paper_there_is_the_poster(root):
    root.page.emulate_media(media="print")
    assert root.locator("> .gencomp-figure img").is_visible()
    assert not root.locator("canvas").first.is_visible()
    root.page.emulate_media(media="screen")


def test_without_scripts_there_is_the_poster(browser, address, site, figure):
    with phone(browser, java_script_enabled=False) as tab:
        tab.goto(f"{address}/{page_of(site, figure)}.html")
        assert tab.locator(f".gencomp-live[data-figure={figure}] img").first.is_visible()


# In a kernel's output


SHOWN = {
    "bound": lambda: live.bound(draw.gap, live_model(), [2.75, 1.5]),
    "explorer": live.explorer,
    "game": lambda: live.game(preset="plateau"),
    "generator": live.generator,
    "stamps": lambda: live.stamps(draw.stamps),
}


def live_model() -> Any:
    from gencomp_utils.evidence import LinearGaussian

    return LinearGaussian([[1.6], [1.2]], [0.0, 1.0], noise_std=1.0)


@pytest.mark.parametrize("name", SHOWN)
def test_a_figure_runs_in_a_frame_without_an_origin(tab, name, monkeypatch, mnist):
    """As in Colab, where nothing can be loaded and there is no address to write to."""
    outputs: list[Any] = []
    monkeypatch.delenv("GENCOMP_BUILD", raising=False)
    monkeypatch.setattr(core, "display", outputs.append)
    monkeypatch.setattr(core, "sliders", lambda *given, **ranges: None)
    monkeypatch.setattr("gencomp_utils.live.theory.sliders", lambda *given, **ranges: None)
    SHOWN[name]()
    tab.set_content('<iframe sandbox="allow-scripts" style="width: 340px; height: 700px"></iframe>')
    tab.locator("iframe").evaluate(
        "(frame, html) => { frame.srcdoc = html; }", "<!doctype html>" + outputs[0].data
    )
    frame = tab.frame_locator("iframe")
    root = frame.locator(READY.format(name))
    root.wait_for()
    slider = root.locator("input[type=range]:visible:enabled").first
    button = root.locator("button:visible").first
    (slider.press("ArrowRight") if slider.count() else button.click())
    assert int(root.get_attribute("data-frames")) >= 1
