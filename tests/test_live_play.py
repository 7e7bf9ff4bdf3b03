"""The live game's presets show in the page what their chapters say, and so do the posters."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
from bs4 import BeautifulSoup
from conftest import ROOT

from gencomp_utils import live
from gencomp_utils.figures import live_game
from gencomp_utils.live import core

WEB = ROOT / "gencomp_utils" / "web" / "live"
SETTINGS = "({preset, ...others}) => ({preset, ...gencomp.play.given(preset), ...others})"
PLAY = f"""
(asked) => {{
  const settings = ({SETTINGS})(asked), play = gencomp.play.begin(settings), turns = play.turns();
  const {{ end }} = gencomp.play.PRESETS[settings.preset];
  for (let i = 0; i < end; i++) turns.next();
  const {{ value, jsd, shortfall, modes }} = play.judge();
  const [b, a] = play.generator.weights;
  return {{ value, jsd, shortfall, modes, a, b, end }};
}}
"""


@pytest.fixture(scope="module")
def tab(browser: Any) -> Iterator[Any]:
    tab = browser.new_page()
    tab.goto("about:blank")
    for name in ("frame", "exact", "game", "play"):
        tab.add_script_tag(path=WEB / f"{name}.js")
    yield tab
    tab.close()


def played(tab: Any, preset: str, **settings: Any) -> dict[str, float]:
    """Give how a preset's game ends in the page."""
    return dict(tab.evaluate(PLAY, {"preset": preset, **settings}))


# What the presets show


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_on_the_plateau_the_saturating_loss_stands_still_and_the_other_arrives(tab, seed):
    stands = played(tab, "plateau", seed=seed)
    assert stands["end"] == 300
    assert abs(stands["a"]) < 0.5
    assert stands["jsd"] > 0.6
    arrives = played(tab, "plateau", seed=seed, loss="non-saturating")
    assert abs(arrives["a"] - 5) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_minus_log_4_is_no_convergence(tab, seed):
    ends = played(tab, "half", seed=seed)
    assert abs(ends["value"] + math.log(4)) < 0.07
    assert ends["jsd"] > 0.3
    assert ends["shortfall"] > 0.6


@pytest.mark.slow
def test_at_equal_speeds_the_samples_arrive(tab):
    ends = [played(tab, "equal", seed=seed)["jsd"] for seed in (1, 2, 3, 4, 5)]
    assert sum(jsd < 0.05 for jsd in ends) >= 4, ends


@pytest.mark.slow
def test_a_slow_generator_finds_all_modes_and_a_fast_one_loses_some(tab):
    slow, fast = (
        [played(tab, preset, seed=seed)["modes"] for seed in (1, 2, 3, 4, 5)]
        for preset in ("speeds", "lost")
    )
    assert sum(modes == 8 for modes in slow) >= 4, slow
    assert sum(modes < 8 for modes in fast) >= 4, fast


@pytest.mark.slow
def test_the_settings_are_those_of_the_posters(tab):
    presets = tab.evaluate("() => gencomp.play.PRESETS")
    assert list(presets) == list(live_game.PRESETS)
    for name, poster in live_game.PRESETS.items():
        page = tab.evaluate(SETTINGS, {"preset": name})
        assert (page["rateG"], page["rateD"], page["k"]) == (poster.lr_g, poster.lr_d, poster.k)
        assert (page["loss"] == "saturating") == (page["optimizer"] == "descent") == poster.plain
        assert (presets[name].get("line") or [None])[0] == poster.mean
        assert presets[name].get("width", poster.width) == poster.width
        assert poster.iterations <= presets[name]["end"]


# The figure

PAGE = """
<!doctype html><html lang="en"><title>game</title><main>
<div class="gencomp-live" id="live-game-1" data-figure="game" data-models="" data-settings='{}'>
</div></main></html>
"""


@pytest.fixture
def root(browser: Any) -> Iterator[Any]:
    """The figure on a page of its own, for somebody who wants no motion."""
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 360, "height": 740})
    tab = context.new_page()
    yield lambda **settings: opened(tab, settings)
    context.close()


def opened(tab: Any, settings: dict[str, Any]) -> Any:
    tab.set_content(PAGE.format(json.dumps(settings)))
    for name in ("frame", "exact", "game", "play"):
        tab.add_script_tag(path=WEB / f"{name}.js")
    tab.evaluate("gencomp.start(document.querySelector('.gencomp-live'))")
    return tab.locator(".gencomp-live")


def waits(root: Any, condition: str) -> None:
    root.page.wait_for_function(f"(root) => {condition}", arg=root.element_handle())


@pytest.mark.slow
def test_before_it_is_played_the_end_of_the_game_is_shown(root):
    shown = root(preset="half")
    waits(shown, "root.dataset.iteration === '420'")
    told = shown.locator("canvas").get_attribute("aria-label")
    assert told.startswith("After 420 iterations")
    assert shown.locator("[role=status]").inner_text() == ""  # nobody has asked
    shown.get_by_role("button", name="Step").click()
    waits(shown, "root.dataset.iteration === '1'")
    waits(shown, "root.querySelector('[role=status]').textContent.startsWith('After 1 it')")


@pytest.mark.slow
def test_the_readers_loss_takes_the_game_off_the_plateau(root):
    shown = root(preset="plateau")
    waits(shown, "root.dataset.iteration === '300'")
    assert "N(0.1" in shown.inner_text()
    shown.get_by_label("G's loss").select_option("non-saturating")
    shown.get_by_role("button", name="Play").click()
    waits(shown, "root.dataset.state === 'paused'")
    assert shown.get_attribute("data-iteration") == "600"
    assert "N(4.9" in shown.inner_text() or "N(5.0" in shown.inner_text()


@pytest.mark.slow
def test_another_game_brings_its_settings_and_starts_again(root):
    shown = root(preset="half")
    shown.get_by_label("Game").select_option("speeds")
    waits(shown, "root.dataset.iteration === '0'")
    assert shown.get_by_label("G's rate").input_value() == "0.002"
    assert "of 8 modes" in shown.inner_text()
    shown.get_by_label("Optimiser").select_option("descent")
    assert shown.get_by_label("D's rate").input_value() == "0.1"


@pytest.mark.slow
def test_the_plain_figure_has_few_controls(root):
    shown = root(preset="speeds", plain=True)
    assert shown.locator("select").count() == 1
    assert shown.get_by_role("button", name="Play").is_visible()
    waits(shown, "root.dataset.iteration === '1050'")  # for who wants no motion, the end is shown
    assert "V(D, G)" not in shown.inner_text()


# In Python


def test_each_preset_is_embedded_and_another_is_refused(monkeypatch):
    shown: list[Any] = []
    monkeypatch.setenv("GENCOMP_BUILD", "1")
    monkeypatch.setattr(core, "display", shown.append)
    live.game("intro")
    figure = BeautifulSoup(shown[0].data, "html.parser").div
    assert json.loads(figure["data-settings"]) == {"preset": "speeds", "plain": True}
    assert "8 after 1050 iterations" in figure.img["alt"]
    with pytest.raises(ValueError, match="preset is 'fast', but must be one of equal, half"):
        live.game("fast")


def test_the_poster_on_the_line_says_what_its_chapter_says():
    told = live_game.poster(live_game.PRESETS["half"]).get_label().replace("−", "-")
    value, cost = map(float, re.search(r"end at (\S+) and (\S+) nats", told).groups())
    assert value == pytest.approx(-math.log(4), abs=0.07)
    assert cost > -0.8
