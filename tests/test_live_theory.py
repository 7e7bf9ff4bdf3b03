"""What the live figures on theory show is what the package computes, and faults are noticed."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from scipy.stats import norm

from gencomp_utils import divergences, minimax
from gencomp_utils.evidence import Gaussian, LinearGaussian, kl_of_gaussians, mean_kl_in_two
from gencomp_utils.figures import live_theory
from gencomp_utils.live import core, theory

BYTES = 30_000
DIGITS = 6e-5  # four are shown
LINE = LinearGaussian([[1.6], [1.2]], [0.0, 1.0], noise_std=1.0)
POINT = [2.75, 1.5]
RNG = np.random.default_rng(4)
EIGHT = LINE.likelihood(RNG.normal(size=(8, 1))).at(RNG.normal(size=(8, 2)))
PEAKS, BROAD = [(0.5, -2.0, 0.7), (0.5, 2.0, 0.7)], [(1.0, 0.5, 1.5)]
FIGURES: dict[str, Callable[[], None]] = {
    "distributions": partial(theory.distributions, live_theory.bells),
    "best": partial(
        theory.distributions, live_theory.bells, show="best", apart=2.0, p_width=0.7, mu=0.5
    ),
    "measures": partial(theory.distributions, live_theory.bells, show="measures", mu=5.0),
    "discriminator": partial(theory.discriminator, live_theory.bent, data=PEAKS, model=BROAD),
    "bound": partial(theory.bound, live_theory.gap, LINE, POINT),
    "collapse": partial(theory.collapse, live_theory.collapse, EIGHT),
    "stamps": partial(theory.stamps, live_theory.stamps),
}


@pytest.fixture
def shown(monkeypatch) -> list[Any]:
    """What is displayed, in order."""
    outputs: list[Any] = []
    monkeypatch.setattr(core, "display", outputs.append)
    return outputs


# In Python


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_of_the_book_is_small_and_says_what_it_shows(shown, monkeypatch, name):
    monkeypatch.setenv("GENCOMP_BUILD", "1")
    FIGURES[name]()
    assert len(shown[0].data) <= BYTES
    assert len(BeautifulSoup(shown[0].data, "html.parser").img["alt"]) > 60


@pytest.mark.parametrize("name", FIGURES)
def test_a_kernels_sliders_run_over_the_function_that_drew_the_poster(shown, monkeypatch, name):
    offered = []
    monkeypatch.setattr(theory, "sliders", lambda *call, **ranges: offered.append((call, ranges)))
    FIGURES[name]()
    (((draw, start), ranges),) = offered
    alts = {draw(**start).get_label()}
    for slider, (low, high, step) in ranges.items():
        assert low <= start[slider] <= high
        assert step < high - low
        alts |= {draw(**{**start, slider: float(end)}).get_label() for end in (low, high)}
    assert len(alts) > len(ranges), "the alternative text follows the sliders"


def test_the_poster_says_the_numbers_of_its_values():
    alt = live_theory.bells(
        mu=1.0, sigma=1.0, p_mean=0.0, p_width=1.0, show="integrand"
    ).get_label()
    assert "0.1114 nats" in alt
    short = minimax.generator_cost_density(norm(0, 1).logpdf, norm(1, 1).logpdf, -9, 10) + np.log(4)
    answers = {f"d{i}": 0.5 for i in range(9)}
    alt = live_theory.bent([(1, 0, 1)], [(1, 1, 1)], **answers).get_label()
    assert f"{short:.4f} nats" in alt
    closed = live_theory.gap(LINE, np.array(POINT), mu=1.0, sigma=0.2**0.5).get_label()
    assert "0.00 under log p(x)" in closed


# In a browser


class Page:
    """A figure in a browser, as a kernel shows it."""

    def __init__(self, tab: Any) -> None:
        self.tab = tab
        self.messages: list[str] = []
        tab.on("console", lambda message: self.messages.append(message.text))
        tab.on("pageerror", lambda error: self.messages.append(str(error)))

    def open(self, html: str) -> "Page":
        self.tab.set_content(f"<!doctype html><html lang=en><body>{html}</body></html>")
        self.tab.wait_for_selector('[data-state="ready"][data-frames]')
        return self

    def slide(self, **values: float) -> None:
        for name, value in values.items():
            self.tab.locator(f"input[id$=-{name}]").fill(str(value))

    def numbers(self) -> dict[str, float]:
        """Give what is shown, by label."""
        read = "dl => [...dl.children].map(pair => [...pair.children].map(e => e.textContent))"
        pairs = self.tab.locator("dl").evaluate(read)
        return {label: float(value.replace("−", "-")) for label, value in pairs}

    def words(self) -> dict[str, str]:
        read = "dl => [...dl.children].map(pair => [...pair.children].map(e => e.textContent))"
        return dict(self.tab.locator("dl").evaluate(read))

    def setting(self, name: str) -> float:
        return float(self.tab.locator(f"input[id$=-{name}]").input_value())

    def pull(self, start: tuple[float, float], by: tuple[float, float]) -> None:
        """Drag with the mouse, from a place of the canvas in CSS pixels."""
        box = self.tab.locator("canvas").bounding_box()
        x, y = box["x"] + start[0], box["y"] + start[1]
        self.tab.mouse.move(x, y)
        self.tab.mouse.down()
        self.tab.mouse.move(x + by[0] / 2, y + by[1] / 2)
        self.tab.mouse.move(x + by[0], y + by[1])
        self.tab.mouse.up()


@pytest.fixture
def live(browser, shown, monkeypatch) -> Iterator[Callable[..., Page]]:
    """Open a figure, as it is or with a piece of its script replaced."""
    monkeypatch.delenv("GENCOMP_BUILD", raising=False)
    monkeypatch.setattr(theory, "sliders", lambda *call, **ranges: None)
    text, pages = core._text, []

    def start(display: Callable[[], None], right: str = "", wrong: str = "") -> Page:
        monkeypatch.setattr(core, "_text", lambda name: text(name).replace(right or "\0", wrong))
        display()
        assert not right or wrong in shown[-1].data
        pages.append(Page(browser.new_page(viewport={"width": 800, "height": 900})))
        return pages[-1].open(shown[-1].data)

    yield start
    for page in pages:
        assert page.messages == []
        page.tab.close()


def bell(mean: float, sd: float) -> Callable[[np.ndarray], np.ndarray]:
    return norm(mean, sd).logpdf


def mixture(parts: list[tuple[float, float, float]]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.logaddexp.reduce(
        [np.log(weight) + norm.logpdf(x, mean, sd) for weight, mean, sd in parts]
    )


def miss(page: Page, expected: dict[str, float]) -> float:
    """Give the largest difference between what is shown and what should be."""
    found = page.numbers()
    assert found.keys() == expected.keys()
    return max(abs(found[label] - value) for label, value in expected.items())


def distances(page: Page) -> float:
    missed = []
    for mu, sigma, p_mean, p_width in ((2.0, 1.0, 0.0, 1.0), (-1.5, 0.6, 3.0, 1.7)):
        page.slide(mu=mu, sigma=sigma, p_mean=p_mean, p_width=p_width)
        p, q = bell(p_mean, p_width), bell(mu, sigma)
        x, dx = np.linspace(-20, 24, 44_001, retstep=True)
        cdfs = norm.cdf(x, p_mean, p_width) - norm.cdf(x, mu, sigma)
        expected = {
            "JSD, nats": divergences.js_divergence_density(p, q, -20, 24),
            "W₁, units of x": np.abs(cdfs).sum() * dx,
            "total variation": np.abs(np.exp(p(x)) - np.exp(q(x))).sum() * dx / 2,
            "KL(p‖q), nats": divergences.kl_divergence_gaussian(p_mean, p_width, mu, sigma),
            "KL(q‖p), nats": divergences.kl_divergence_gaussian(mu, sigma, p_mean, p_width),
        }
        missed.append(miss(page, expected))
    return max(missed)


def slopes(page: Page) -> float:
    """Slope of the JSD at three means, by the formula of the page "Near and far"."""
    missed = []
    x, dx = np.linspace(-20, 24, 44_001, retstep=True)
    for mu in (1.0, 4.0, 8.0):
        page.slide(mu=mu)
        p, q = norm.pdf(x), norm.pdf(x, mu)
        slope = 0.5 * np.sum((x - mu) * q * np.log(2 * q / (p + q))) * dx
        found = page.numbers()
        missed += [abs(found["slope of the JSD"] - slope), abs(found["slope of W₁"] - 1.0)]
    return max(missed)


def best(page: Page) -> float:
    page.slide(mu=0.5, sigma=1.5)
    p, q = mixture(PEAKS), bell(0.5, 1.5)
    found = page.numbers()
    assert list(found) == ["V(D*, G) = C(G), nats", "JSD, nats", "total variation"]
    cost = minimax.generator_cost_density(p, q, -16, 16)
    jsd = divergences.js_divergence_density(p, q, -16, 16)
    return max(abs(found["V(D*, G) = C(G), nats"] - cost), abs(found["JSD, nats"] - jsd))


ANSWERS = [0.7, 0.9, 0.85, 0.3, 0.05, 0.2, 0.65, 0.6, 0.1]


def bend(page: Page) -> float:
    for point, answer in zip(range(-4, 5), ANSWERS, strict=True):
        page.slide(point=point, answer=answer)
    heights = np.log(np.array(ANSWERS) / (1 - np.array(ANSWERS)))
    p, q = mixture(PEAKS), mixture(BROAD)
    value = minimax.game_value_density(lambda x: np.interp(x, range(-4, 5), heights), p, q, -12, 12)
    cost = minimax.generator_cost_density(p, q, -12, 12)
    names = "V(D, G), nats", "C(G), the most V can be", "shortfall C(G) − V"
    return miss(page, dict(zip(names, (value, cost, cost - value), strict=True)))


def evidence(page: Page) -> float:
    missed, x = [], np.array(POINT)
    for mu, sigma in ((0.0, 0.6), (-0.5, 0.3), (2.0, 1.1)):
        page.slide(mu=mu, sigma=sigma)
        q = Gaussian([mu], [[sigma**2]])
        expected = {
            "log p(x), nats": LINE.evidence.log_density(x),
            "ELBO": LINE.elbo(x, q),
            "gap, KL(q‖posterior)": kl_of_gaussians(q, LINE.posterior(x)),
            "reconstruction": LINE.expected_log_likelihood(x, q),
            "KL(q‖prior)": kl_of_gaussians(q, LINE.prior),
        }
        missed.append(miss(page, {label: float(value) for label, value in expected.items()}))
    return max(missed)


def collapse(page: Page) -> float:
    """By the package's bound and split of the KL, at the chapter's optimum for each β."""
    values, vectors = np.linalg.eigh(np.cov(EIGHT.T, bias=True))
    centre, y = EIGHT.mean(axis=0), (EIGHT - EIGHT.mean(axis=0)) @ vectors[:, 1]
    missed = []
    for beta in (0.1, 1.0, 3.0, 6.0):
        page.slide(beta=beta)
        a = max(values[1], beta)
        w, std = np.sqrt(a - beta), np.sqrt(beta / a)
        decoder = LinearGaussian(w * vectors[:, 1:], centre, noise_std=1.0)
        q = Gaussian((w / a * y)[:, None], np.full((8, 1, 1), std**2))
        information, apart = mean_kl_in_two(w / a * y, np.full(8, std))
        expected = {
            "I(x; z), nats": information,
            "KL(q(z)‖p(z))": apart,
            "their sum, the mean KL": information + apart,
            "mean ELBO": decoder.elbo(EIGHT, q).mean(),
            "mean log p(x)": decoder.evidence.log_density(EIGHT).mean(),
        }
        missed.append(miss(page, {label: float(value) for label, value in expected.items()}))
    return max(missed)


def counts(page: Page) -> float:
    """How many of 24 convolutions have another output, or another set of counts, than PyTorch's."""
    wrong = 0
    image = torch.ones(1, 1, 4, 4)
    for window in (2, 3, 5, 6):
        for stride in (1, 2, 3):
            for padding in (0, 2):
                page.slide(window=window, stride=stride, padding=padding)
                ones = torch.ones(1, 1, window, window)
                output = torch.nn.functional.conv_transpose2d(
                    image, ones, stride=stride, padding=padding
                )
                seen = ", ".join(map(str, output.unique().int().tolist()))
                words = page.words()
                size = words["side of the output"].rpartition("= ")[2]
                right = int(size) == output.shape[-1] and words["stamps on a pixel"] == seen
                alike = words["all pixels alike?"].startswith("yes") == (window % stride == 0)
                wrong += not (right and alike)
    return wrong


COMPARISONS: dict[Callable[[Page], float], tuple[str, float]] = {
    distances: ("distributions", DIGITS),
    slopes: ("measures", DIGITS),
    best: ("best", DIGITS),
    bend: ("discriminator", DIGITS),
    evidence: ("bound", DIGITS),
    collapse: ("collapse", DIGITS),
    counts: ("stamps", 0),
}
FAULTS = [
    (distances, "exact.klGaussian(mu, now.sigma, now.p_mean", "exact.klGaussian(mu, 1, now.p_mean"),
    (distances, "x[1] - x[0]];", "x[2] - x[0]];"),
    (slopes, "/ 2e-4", "/ 1e-4"),
    (best, "side * now.apart", "now.apart"),
    (bend, "(at - i) * (heights[i + 1] - heights[i])", "(at - i) * heights[i + 1]"),
    (bend, "now[key] / (1 - now[key])", "now[key]"),
    (evidence, "of = (mu, sigma = now.sigma)", "of = (mu, sigma = 0.6)"),
    (collapse, "sd = Math.sqrt(beta / a)", "sd = beta / a"),
    (collapse, "(1 - w * w / a) ** 2", "(1 - w / a) ** 2"),
    (collapse, "Math.max(spread, beta)", "spread + beta"),
    (counts, "along[i * now.stride + j]++", "along[i + j * now.stride]++"),
    (counts, "along.length - p", "along.length - p - 1"),
]


@pytest.mark.slow
@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda f: f.__name__)
def test_a_figure_shows_what_the_package_computes(live, comparison):
    name, tolerance = COMPARISONS[comparison]
    assert comparison(live(FIGURES[name])) <= tolerance


@pytest.mark.slow
@pytest.mark.parametrize(
    ("comparison", "right", "wrong"), FAULTS, ids=[f"{f[0].__name__}: {f[2]}" for f in FAULTS]
)
def test_a_planted_fault_is_noticed(live, comparison, right, wrong):
    name, tolerance = COMPARISONS[comparison]
    assert not comparison(live(FIGURES[name], right, wrong)) <= tolerance


@pytest.mark.slow
def test_bells_are_dragged_by_their_tops_and_their_flanks(live):
    page = live(FIGURES["distributions"])
    wide = page.tab.locator("canvas").bounding_box()["width"] - 58

    def at(x: float, density: float) -> tuple[float, float]:
        return 46 + wide * (x + 6) / 16, 176 - 150 * density / 0.85

    page.pull(at(2, norm.pdf(0)), by=(wide * 1.5 / 16, 30))
    assert page.setting("mu") == pytest.approx(3.5)
    page.pull(at(4.5, norm.pdf(1)), by=(wide * 0.5 / 16, 0))
    assert page.setting("sigma") == pytest.approx(1.5)
    page.pull(at(0, norm.pdf(0)), by=(-wide / 16, 0))
    assert page.setting("p_mean") == pytest.approx(-1.0)
    page.pull((60, 30), by=(200, 0))
    assert page.setting("mu") == pytest.approx(3.5)


@pytest.mark.slow
def test_a_finger_bends_several_points_in_one_stroke_and_d_never_passes_the_best(live):
    page = live(FIGURES["discriminator"])
    wide = page.tab.locator("canvas").bounding_box()["width"] - 58
    page.pull((46 + wide * 0.5, 166 + 75), by=(wide * 0.1, 60))
    assert page.setting("point") == 1
    assert page.setting("answer") == pytest.approx(0.1)
    found = page.numbers()
    assert found["V(D, G), nats"] < found["C(G), the most V can be"]
    page.tab.get_by_role("button", name="Start again").click()
    assert page.numbers()["V(D, G), nats"] == pytest.approx(-np.log(4), abs=DIGITS)


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_start_again_brings_back_what_was_first_shown(live, name):
    page = live(FIGURES[name])
    first = page.words()
    for slider in page.tab.locator("input[type=range]").all():
        slider.press("ArrowRight")
        slider.press("ArrowRight")
    assert page.words() != first
    page.tab.get_by_role("button", name="Start again").click()
    assert page.words() == first


@pytest.mark.slow
def test_a_point_of_d_is_chosen_and_moved_by_arrow_keys(live):
    page = live(FIGURES["discriminator"])
    page.tab.locator("input[id$=-point]").press("ArrowLeft")
    for _ in range(5):
        page.tab.locator("input[id$=-answer]").press("ArrowUp")
    page.tab.locator("input[id$=-point]").press("ArrowRight")
    assert page.setting("answer") == 0.5
    page.tab.locator("input[id$=-point]").press("ArrowLeft")
    assert page.setting("answer") == pytest.approx(0.55)


@pytest.mark.slow
def test_the_posterior_closes_the_gap(live):
    page = live(FIGURES["bound"])
    assert page.numbers()["gap, KL(q‖posterior)"] > 2
    page.tab.get_by_role("button", name="posterior").click()
    found = page.numbers()
    assert found["gap, KL(q‖posterior)"] == 0.0
    assert found["ELBO"] == found["log p(x), nats"]


@pytest.mark.slow
def test_an_input_pixel_is_chosen_by_arrow_keys_by_hovering_and_by_a_tap(live):
    page = live(FIGURES["stamps"])
    canvas = page.tab.locator("canvas")

    def chosen() -> str:
        return canvas.get_attribute("aria-label").partition(" stamps")[0]

    assert chosen().endswith("row 2, column 2")
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowLeft", "a"):
        canvas.press(key)
    assert chosen().endswith("row 4, column 1"), "there is no fifth row"
    canvas.hover(position={"x": 2 + 26 * 2.5, "y": 24 + 13})
    assert chosen().endswith("row 1, column 3")
    canvas.click(position={"x": 15, "y": 40})
    assert chosen().endswith("row 1, column 1")
    canvas.hover(position={"x": 200, "y": 100})
    assert chosen().endswith("row 1, column 1")


@pytest.mark.slow
def test_a_link_brings_back_the_reader_s_d_over_the_page_s_densities(live, shown, tmp_path):
    other = partial(
        theory.discriminator, live_theory.bent, data=[(1, 0, 1)], model=[(1, 1, 0.6)], d2=0.9
    )
    page = live(other)
    (tmp_path / "page.html").write_text(shown[-1].data, encoding="utf-8")
    page.tab.goto((tmp_path / "page.html").as_uri())
    page.slide(point=1, answer=0.2)
    numbers = page.numbers()
    page.tab.wait_for_function("location.hash.includes('d5=0.2')")
    link = page.tab.url
    page.tab.goto("about:blank")
    page.tab.goto(link)
    page.tab.wait_for_selector('[data-state="ready"][data-frames]')
    assert page.numbers() == numbers
    assert page.setting("answer") == 0.2


@pytest.mark.slow
def test_the_best_discriminator_is_shown_when_it_is_asked_for(live):
    page = live(FIGURES["discriminator"])
    drawn = page.tab.locator("canvas").screenshot()
    page.tab.get_by_label("Show D*").check()
    page.tab.wait_for_selector('[data-frames]:not([data-frames="1"])')
    assert page.tab.locator("canvas").screenshot() != drawn
