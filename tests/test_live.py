"""Figures that run in the page: what is in the page, in a kernel's output, and on the site."""

import json

import ipywidgets
import pytest
from bs4 import BeautifulSoup

from gencomp_utils import figures, live
from gencomp_utils.live import core

SCRIPT_BYTES, OF_A_FIGURE = 95_000, 50_000


def poster(slope=0.0):
    fig, ax = figures.new()
    ax.plot([0, 1], [0, slope])
    return figures.described(fig, f"A line to {slope:g}.")


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, in order."""
    outputs = []
    monkeypatch.setattr(core, "display", outputs.append)
    return outputs


# In Python


def test_the_page_holds_a_poster_and_the_settings_and_no_script(shown, monkeypatch):
    monkeypatch.setenv("GENCOMP_BUILD", "1")
    core.embed("bound", poster(), {"name": 'a "b" <c>', "mu": 0.5}, ("exact", "bound"))
    soup = BeautifulSoup(shown[0].data, "html.parser")
    (figure,) = soup.select(".gencomp-live")
    assert json.loads(figure["data-settings"]) == {"name": 'a "b" <c>', "mu": 0.5}
    assert figure["data-scripts"].split() == ["exact", "bound"]
    assert soup.img["alt"] == "A line to 0."
    assert not soup("script")


def test_a_kernel_gets_all_that_the_figure_needs_and_nothing_from_elsewhere(shown, monkeypatch):
    monkeypatch.delenv("GENCOMP_BUILD")
    core.embed("bound", poster(), {}, ("exact",), {"vae": lambda: "gencomp.models = {};"})
    soup = BeautifulSoup(shown[0].data, "html.parser")
    assert not soup("script", src=True)
    assert not soup("link")
    assert "gencomp.models = {};" in [script.string for script in soup("script")]


def test_two_figures_on_a_page_have_names_of_their_own(shown):
    for _ in range(2):
        core.embed("bound", poster(), {}, ("exact",))
    first, second = (BeautifulSoup(out.data, "html.parser").div["id"] for out in shown)
    assert first != second


def test_sliders_are_for_live_kernels_only(shown, monkeypatch):
    monkeypatch.setenv("GENCOMP_BUILD", "1")
    core.sliders(poster, {"slope": 0.5}, slope=(0, 1, 0.1))
    assert not shown
    monkeypatch.delenv("GENCOMP_BUILD")
    asked = []
    monkeypatch.setattr(
        ipywidgets, "interact", lambda *call, **sliders: asked.append((call, sliders))
    )
    core.sliders(poster, {"slope": 0.5}, slope=(0, 1, 0.1))
    (((redraw,), sliders),) = asked
    slider = sliders["slope"]
    assert (slider.min, slider.max, slider.step, slider.value) == (0, 1, 0.1, 0.5)
    assert not slider.continuous_update  # or each pixel of a drag would draw a figure
    redraw(slope=slider.value)
    assert 'alt="slope = 0.5"' in shown[0].data


def test_scripts_are_small_enough_to_be_read():
    sizes = {file.name: file.stat().st_size for file in core.WEB.glob("*.js")}
    assert sum(sizes.values()) <= SCRIPT_BYTES, sizes


def test_a_figure_loads_few_scripts(shown, monkeypatch, mnist):
    monkeypatch.setenv("GENCOMP_BUILD", "1")
    live.game("plateau")
    live.explorer()
    for out in shown:
        scripts = BeautifulSoup(out.data, "html.parser").div["data-scripts"].split()
        files = [core.WEB / f"{name}.js" for name in ("load", "frame", *scripts)]
        assert sum(file.stat().st_size for file in files) <= OF_A_FIGURE, scripts
