"""Diagrams: what their words promise, what every reader can see, and that they aren't wrong."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from conftest import CHAPTERS, ROOT, read_notebook
from IPython.display import HTML
from torch import nn

from gencomp_utils import figures, models, notebook

FOLDER = ROOT / "gencomp_utils" / "diagrams"
NAMES = sorted(path.stem for path in FOLDER.iterdir())
PHONE = 328  # CSS pixels that a screen of 360 leaves
SVG = "{http://www.w3.org/2000/svg}"
PALETTE = ("BLUE", "ORANGE", "GREEN", "VERMILLION")


def root_of(name: str) -> ET.Element:
    return ET.fromstring((FOLDER / f"{name}.svg").read_text(encoding="utf-8"))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[HTML]:
    displayed: list[HTML] = []
    monkeypatch.setattr(notebook, "display", displayed.append)
    return displayed


@pytest.mark.parametrize("name", NAMES)
def test_a_diagram_is_shown_as_it_was_drawn(name, shown):
    notebook.diagram(name)
    assert (FOLDER / f"{name}.svg").read_text(encoding="utf-8") in shown[0].data
    assert 'class="gencomp-diagram"' in shown[0].data


def test_a_diagram_that_is_not_there_is_refused(shown):
    with pytest.raises(ValueError, match=r"name is 'gan', but the diagrams are dcgan, game, vae"):
        notebook.diagram("gan")
    assert shown == []


def test_every_diagram_stands_on_a_page():
    code = [cell.source for chapter in CHAPTERS for cell in read_notebook(chapter).cells]
    assert {name for text in code for name in re.findall(r'^diagram\("(\w+)"\)$', text, re.M)} == {
        *NAMES
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_diagram_says_what_it_shows(name):
    root = root_of(name)
    assert root.get("role") == "img"
    title, description = root[:2]
    assert (title.tag, description.tag) == (f"{SVG}title", f"{SVG}desc")
    assert len(title.text.split()) >= 3
    assert len(description.text.split()) >= 40


@pytest.mark.parametrize("name", NAMES)
def test_a_diagram_fits_a_phone_and_can_be_read_there(name):
    root = root_of(name)
    _, _, width, _ = map(float, root.get("viewBox").split())
    assert root.get("width") is None, "it is as wide as its box"
    sizes = [float(size) for tag in root.iter() if (size := tag.get("font-size"))]
    assert min(sizes) * PHONE / width >= 10


@pytest.mark.parametrize("name", NAMES)
def test_a_diagram_is_drawn_in_the_texts_colour_and_the_books_palette(name):
    palette = {f"var(--gencomp-{hue.lower()}, {getattr(figures, hue)})" for hue in PALETTE}
    for tag in root_of(name).iter():
        colours = [tag.get("fill", "none"), tag.get("stroke", "none")]
        assert {*colours} <= {"none", "currentColor"}, colours
        for declaration in filter(None, tag.get("style", "").split(";")):
            assert declaration.partition(":")[2].strip() in palette, declaration
        if tag.tag == f"{SVG}text":
            assert not tag.get("style"), "text is read in the page's own colour"


@pytest.mark.parametrize("name", NAMES)
def test_two_diagrams_on_a_page_do_not_meet(name):
    assert not [tag for tag in root_of(name).iter() if tag.get("id") or tag.tag == f"{SVG}style"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [PHONE, 640])
def test_no_words_of_a_diagram_leave_it_or_cover_others(name, width, shown, browser):
    notebook.diagram(name)
    tab = browser.new_page(viewport={"width": 800, "height": 900})
    tab.set_content(f'<div style="width: {width}px">{shown[0].data}</div>')
    places = """() => ["svg", "svg text"].flatMap((which) =>
      [...document.querySelectorAll(which)].map((element) => {
        const { left, right, top, bottom } = element.getBoundingClientRect();
        return [left, right, top, bottom, element.textContent];
      }))"""
    (left, right, top, bottom, _), *words = tab.evaluate(places)
    tab.close()
    assert right - left == pytest.approx(min(width, 480), abs=1)
    for i, (a, b, c, d, text) in enumerate(words):
        assert left <= a < b <= right, text
        assert top <= c < d <= bottom, text
        for e, f, g, h, other in words[:i]:
            across, down = min(b, f) - max(a, e), min(d, h) - max(c, g)
            assert across <= 0 or down <= 4, f"{text} covers {other}"  # line boxes overlap a little


# The numbers of the DCGAN's stack


ACTIVATIONS = {nn.ReLU: "ReLU", nn.LeakyReLU: "LeakyReLU", nn.Tanh: "tanh"}


def told_by(network: Any, x: torch.Tensor) -> Iterator[str]:
    """What a diagram must say of a network, from its input to its output."""
    if isinstance(network, models.DCGANDiscriminator):
        yield " × ".join(map(str, x.shape[1:]))
    else:
        yield f"{x.shape[1]} numbers z"
    after: list[str] = []
    for layer in network.layers:
        before, x = x, layer(x)
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            sizes = layer.kernel_size, layer.stride, layer.padding
            assert all(down == across for down, across in sizes)
            window, stride, padding = (down for down, _ in sizes)
            yield f"w {window}, s {stride}, p {padding}"
            after = []
        elif isinstance(layer, nn.BatchNorm2d):
            after.append("norm")
        elif isinstance(layer, nn.Linear):
            yield from (
                "linear layer",
                f"{before.shape[1]:,} → {x.shape[1]}",
                f"{x.shape[1]} logit",
            )
        elif type(layer) in ACTIVATIONS:
            yield ", ".join([*after, ACTIVATIONS[type(layer)]])
            yield " × ".join(map(str, x.shape[1:]))
        else:
            assert isinstance(layer, nn.Flatten | nn.Unflatten), layer


@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_the_dcgans_stack_is_that_of_its_networks(role):
    network = models.DCGANConfig().networks()[role].eval()
    x = torch.zeros((1, 100) if role == "generator" else (1, 1, 28, 28))
    (column,) = (tag for tag in root_of("dcgan").iter() if tag.get("data-network") == role)
    with torch.no_grad():
        assert ["".join(text.itertext()) for text in column] == [*told_by(network, x)]


def test_the_boxes_of_the_dcgans_stack_are_drawn_to_scale():
    root = root_of("dcgan")
    texts = [text.text or "" for tag in root if tag.get("data-network") for text in tag]
    shapes = [map(int, found) for text in texts for found in re.findall(r"(\d+) × (\d+) ×", text)]
    edges = [path.get("d") for path in root.iter(f"{SVG}path") if path.get("fill") == "none"]
    boxes = zip(root.iter(f"{SVG}rect"), edges, strict=True)
    for (channels, side), (front, edge) in zip(shapes, boxes, strict=True):
        assert front.get("width") == front.get("height") == str(2 * side)
        depth = abs(int(re.search(r"l(-?\d+)", edge)[1]))
        assert depth == pytest.approx(1.5 * channels**0.5, abs=1)
