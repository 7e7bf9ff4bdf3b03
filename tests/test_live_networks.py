"""The explorer and the generator: what a reader does, and the numbers that follow."""

import re
from typing import Any

import pytest
import torch

from gencomp_utils import data, models, runs
from gencomp_utils.live import core, networks
from gencomp_utils.models import VAEConfig

pytestmark = pytest.mark.slow


@pytest.fixture
def opened(browser: Any, monkeypatch: pytest.MonkeyPatch, mnist: Any) -> Any:
    """Open a figure as a kernel displays it, and return the tab and the figure."""
    shown: list[Any] = []
    monkeypatch.delenv("GENCOMP_BUILD", raising=False)
    monkeypatch.setattr(core, "display", shown.append)

    def open_(display: Any) -> tuple[Any, Any]:
        display()
        tab = browser.new_page(viewport={"width": 1000, "height": 900})
        tab.on("pageerror", lambda error: pytest.fail(str(error)))
        tab.set_content(f"<!doctype html><html lang='en'>{shown[-1].data}</html>")
        return tab, tab.locator(".gencomp-live")

    return open_


def after(tab: Any, figure: Any, act: Any) -> dict[str, float | str]:
    """Act, wait until the figure rests, from whatever came last, and read its numbers."""
    before = figure.get_attribute("data-rests") or "0"
    act()
    tab.wait_for_function(
        "(n) => document.querySelector('.gencomp-live').dataset.rests > n", arg=int(before)
    )
    names = figure.locator("dt").all_inner_texts()
    texts = [text.replace("−", "-") for text in figure.locator("dd").all_inner_texts()]
    numbers = [float(text) if re.fullmatch(r"-?[\d.]+", text) else text for text in texts]
    return dict(zip(names, numbers, strict=True))


@torch.no_grad()
def costs(digit: int, z: torch.Tensor | None = None) -> tuple[float, float, torch.Tensor]:
    """Give reconstruction and KL of a digit's first test image, at the mean or another code."""
    digits, vae = data.load_mnist(), runs.recorded(VAEConfig()).network()
    at = int((digits.test_labels == digit).argmax())
    x = models.as_unit(torch.tensor(digits.test_images[at : at + 1]))
    mean, log_variance = vae.encode(x)
    cost = models.bernoulli_cross_entropy(vae.decode(mean if z is None else z), x)
    return cost.item(), models.kl_to_standard_normal(mean, log_variance).item(), mean


def test_the_explorer_begins_with_an_answer_and_without_weights(opened):
    tab, figure = opened(networks.explorer)
    names, texts = figure.locator("dt").all_inner_texts(), figure.locator("dd").all_inner_texts()
    reconstruction, kl, _ = costs(7)
    assert (
        dict(zip(names, texts, strict=True))["reconstruction loss at z"] == f"{reconstruction:.1f}"
    )
    assert dict(zip(names, texts, strict=True))["KL(q‖p)"] == f"{kl:.1f}"
    assert figure.get_attribute("data-weights") is None
    tab.close()


def test_the_explorer_says_what_the_vae_says_of_a_picked_image(opened):
    tab, figure = opened(networks.explorer)
    found = after(tab, figure, lambda: figure.get_by_label("x is").select_option(label="a four"))
    reconstruction, kl, mean = costs(4)
    assert found["reconstruction loss at z"] == pytest.approx(reconstruction, abs=0.051)
    assert found["KL(q‖p)"] == pytest.approx(kl, abs=0.051)
    assert found["loss (7)"] == pytest.approx(found["its mean over 20 draws"] + kl, abs=0.11)
    assert found["ELBO, by 20 draws"] == -found["loss (7)"]
    assert (found["x is read as"][0], found["decoded is read as"][0]) == ("4", "9")

    moved = after(tab, figure, lambda: figure.get_by_label("z₁").press("End"))
    z = torch.tensor([[4.0, mean[0, 1]]])
    assert moved["reconstruction loss at z"] == pytest.approx(costs(4, z)[0], abs=0.051)
    assert moved["loss (7)"] == found["loss (7)"]

    figure.get_by_label("Walk to").select_option(label="a one")
    walked = after(tab, figure, lambda: figure.get_by_label("t", exact=True).press("End"))
    assert walked["decoded is read as"][0] == "1"
    back = after(tab, figure, lambda: figure.get_by_role("button", name="z = mean").click())
    assert back == found
    tab.close()


def test_the_act_that_loads_the_networks_counts(opened):
    tab, figure = opened(networks.explorer)
    found = after(tab, figure, lambda: figure.get_by_label("z₂").press("End"))
    _, _, mean = costs(7)
    expected = costs(7, torch.tensor([[mean[0, 0], 3.2]]))[0]  # where the map ends
    assert found["reconstruction loss at z"] == pytest.approx(expected, abs=0.051)
    tab.close()


def test_where_and_how_large_a_digit_is_drawn_makes_no_difference(opened):
    tab, figure = opened(networks.explorer)
    corner = figure.locator("canvas").bounding_box()

    def seven(left: float, top: float, size: float) -> None:
        for step, (x, y) in enumerate(((0, 0), (0.6, 0), (0.2, 1))):
            tab.mouse.move(
                corner["x"] + left + size * x, corner["y"] + top + size * y, steps=1 + 9 * step
            )
            if step == 0:
                tab.mouse.down()
        tab.mouse.up()

    large = after(tab, figure, lambda: seven(30, 40, 150))
    figure.get_by_role("button", name="Clear").click()
    small = after(tab, figure, lambda: seven(110, 120, 75))
    assert large["x is read as"][0] == small["x is read as"][0] == "7"
    assert small["loss (7)"] == pytest.approx(large["loss (7)"], rel=0.05)
    tab.close()


def test_an_arc_begins_and_ends_at_its_digits(opened):
    tab, figure = opened(networks.generator)
    large = "() => Array.from(document.querySelector('canvas').getContext('2d')"
    large += ".getImageData(372, 20, 252, 252).data).join()"

    def drawn(act: Any) -> str:
        frames = figure.get_attribute("data-frames")
        act()
        tab.wait_for_function(
            "(n) => document.querySelector('.gencomp-live').dataset.frames > n", arg=int(frames)
        )
        return tab.evaluate(large)

    figure.get_by_role("button", name="Load").click()
    tab.wait_for_function("document.querySelector('.gencomp-live').dataset.weights === 'ready'")
    along, start = figure.get_by_label("along the arc"), figure.get_by_label("From", exact=True)
    end, half, begin = (drawn(lambda to=to: along.fill(to)) for to in ("1", "0.5", "0"))
    assert len({end, half, begin}) == 3
    assert drawn(lambda: start.select_option(label="image 2")) == end
    assert drawn(lambda: along.fill("1")) == end
    assert drawn(lambda: start.select_option(label="image 1")) == end
    assert drawn(lambda: figure.get_by_label("length of z").fill("0.5")) != end
    tab.close()


def test_new_noise_gives_new_digits(opened):
    tab, figure = opened(networks.generator)
    sheet = "() => document.querySelector('canvas').toDataURL()"
    given = tab.evaluate(sheet)
    figure.get_by_role("button", name="New noise").click()
    tab.wait_for_function("document.querySelector('.gencomp-live').dataset.weights === 'ready'")
    tab.wait_for_function(f"(given) => ({sheet})() !== given", arg=given)
    tab.close()
