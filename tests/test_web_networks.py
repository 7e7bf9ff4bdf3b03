"""The page's networks answer as PyTorch's do, from the same stored weights; faults are noticed."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from conftest import ROOT
from torch import Tensor, nn

from gencomp_utils import data, models, runs
from gencomp_utils.live import networks as live
from gencomp_utils.models import ClassifierConfig, DCGANConfig, VAEConfig

pytestmark = pytest.mark.slow

ENGINE = (ROOT / "gencomp_utils" / "web" / "live" / "networks.js").read_text(encoding="utf-8")
TOLERANCES = {
    "mean": 1e-5,
    "log-variance": 1e-5,
    "pixels": 1e-5,
    "reconstruction": 1e-3,  # nats
    "kl": 1e-3,
    "probabilities": 1e-5,
    "generated": 1e-5,
}
ANSWERS = """
({x, noise, z}) => {
  const { vae, classifier, generator } = gencomp.models;
  const { sigmoid, softmax, reconstruction, kl } = gencomp.networks;
  const rows = x.map((image, i) => {
    const both = Array.from(vae.encoder(image)), mean = both.slice(0, 2), log = both.slice(2);
    const code = mean.map((mu, j) => mu + Math.exp(log[j] / 2) * noise[i][j]);
    const logits = Array.from(vae.decoder(code));
    return {
      "mean": mean, "log-variance": log, "pixels": logits.map(sigmoid),
      "reconstruction": reconstruction(logits, image), "kl": kl(mean, log),
      "probabilities": softmax(classifier.logits(image)),
    };
  });
  const found = Object.keys(rows[0]).map((name) => [name, rows.map((row) => row[name])]);
  const generated = z.map((one) => Array.from(generator.pixels(one), (pixel) => (pixel + 1) / 2));
  return {...Object.fromEntries(found), generated};
}
"""


def weights(order: str) -> str:
    """Take weights whose kernels' entries stand in another order."""
    return (
        ".map((_, i, all) => { const size = kernel * kernel, k = i % size, row = Math.floor("
        f"k / kernel), column = k % kernel; return all[i - k + {order}]; }})"
    )


TRANSPOSED, TURNED = weights("column * kernel + row"), weights("size - 1 - k")
IN, BACK = "take(outputs * length)", "take(inputs * length)"
# A piece of the engine, what a slip makes of it, and what is wrong then.
FAULTS = {
    "a convolution's kernel transposed": (IN, IN + TRANSPOSED, "mean pixels probabilities"),
    "a convolution's kernel turned": (IN, IN + TURNED, "mean pixels probabilities"),
    "a stamp transposed": (BACK, BACK + TRANSPOSED, "pixels reconstruction generated"),
    "a stamp turned": (BACK, BACK + TURNED, "pixels reconstruction generated"),
    "no epsilon": (" + epsilon)", ")", "probabilities generated"),
    "a sign in the KL": ("- 1 - logVariance[i]", "- 1 + logVariance[i]", "kl"),
    "a sign in the cross-entropy": ("- logit * x[j]", "+ logit * x[j]", "reconstruction"),
    "an exponent of 16 bits": ("2 ** 112", "2 ** 111", "mean log-variance probabilities generated"),
}


@pytest.fixture(scope="module")
def given(mnist: Any) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "x": models.as_unit(torch.tensor(data.load_mnist().test_images[:100])),
        "noise": torch.randn(100, 2, generator=generator),
        "z": torch.randn(20, 100, generator=generator),
    }


@pytest.fixture(scope="module")
@torch.no_grad()
def right(given: dict[str, Tensor]) -> dict[str, Tensor]:
    vae, classifier, generator = (
        runs.recorded(config).network()
        for config in (VAEConfig(), ClassifierConfig(), DCGANConfig())
    )
    mean, log_variance = vae.encode(given["x"])
    code = models.reparameterize(mean, log_variance, given["noise"])
    reconstruction, kl = models.vae_loss(vae, given["x"], given["noise"])
    return {
        "mean": mean,
        "log-variance": log_variance,
        "pixels": torch.sigmoid(vae.decode(code)).flatten(1),
        "reconstruction": reconstruction,
        "kl": kl,
        "probabilities": classifier(given["x"]).softmax(1),
        "generated": (generator(given["z"]).flatten(1) + 1) / 2,
    }


@pytest.fixture(scope="module")
def scripts(mnist: Any) -> list[str]:
    return [script() for script in live.SCRIPTS.values()]


def page(browser: Any, engine: str, scripts: list[str]) -> Any:
    tab = browser.new_page()
    for text in (engine, *scripts):
        tab.add_script_tag(content=text)
    return tab


def differences(
    tab: Any, given: dict[str, Tensor], right: dict[str, Tensor], count: int
) -> dict[str, float]:
    """Largest difference of each answer to the first few images and noises."""
    asked = {name: value[:count].flatten(1).tolist() for name, value in given.items()}
    found = tab.evaluate(ANSWERS, asked)
    tab.close()
    return {
        name: float(np.abs(np.array(found[name]) - values[: len(found[name])].numpy()).max())
        for name, values in right.items()
    }


def test_the_page_answers_as_pytorch_does(browser, given, right, scripts):
    found = differences(page(browser, ENGINE, scripts), given, right, 100)
    assert found.keys() == TOLERANCES.keys()
    assert not {name: value for name, value in found.items() if not value <= TOLERANCES[name]}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_noticed(fault, browser, given, right, scripts):
    piece, slip, wrong = FAULTS[fault]
    assert ENGINE.count(piece) == 1
    found = differences(page(browser, ENGINE.replace(piece, slip), scripts), given, right, 5)
    assert {name for name in wrong.split() if not found[name] > TOLERANCES[name]} == set()


def test_other_shapes_than_the_recorded_networks_have(browser):
    """Kernels that don't fill the image, groups, a slope, an image that isn't square."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Unflatten(1, (4, 9, 7)),
        nn.Conv2d(4, 6, 3, stride=3, padding=1, groups=2),
        nn.LeakyReLU(0.3),
        nn.ConvTranspose2d(6, 5, 4, stride=3, padding=2),
        nn.BatchNorm2d(5),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(5 * 6 * 6, 7),
        nn.Sigmoid(),
    ).eval()
    for value in network.state_dict().values():
        if value.is_floating_point():
            value.copy_(value.half())
    x = torch.randn(4 * 9 * 7)
    tab = page(browser, ENGINE, [live.script("odd", {"answer": network})])
    found = tab.evaluate("(x) => Array.from(gencomp.models.odd.answer(x))", x.tolist())
    with torch.no_grad():
        assert found == pytest.approx(network(x[None])[0].tolist(), abs=1e-6)
    tab.close()


@pytest.mark.parametrize(
    ("layer", "complaint"),
    [
        (nn.GELU(), "which networks.js doesn't know"),
        (nn.Conv2d(1, 1, 3, dilation=2), "which networks.js doesn't know"),
        (nn.ConvTranspose2d(1, 1, 3, stride=2, output_padding=1), "networks.js doesn't know"),
        (nn.Conv2d(1, 1, (3, 5)), "networks.js takes squares"),
        (nn.Linear(3, 3), "don't fit into float16"),
    ],
)
def test_what_the_page_could_not_compute_is_refused(layer, complaint):
    with pytest.raises(ValueError, match=complaint):
        live.script("network", {"answer": nn.Sequential(layer)})


def test_weights_that_are_too_few_are_noticed(browser):
    torch.manual_seed(0)
    text = live.script("small", {"answer": nn.Sequential(nn.Linear(2, 2).half().float())})
    assert text.count('"outputs": 2') == 1
    tab = page(browser, ENGINE, [text.replace('"outputs": 2', '"outputs": 1')])
    said = tab.evaluate(
        "() => { try { gencomp.models.small.answer([1, 2]); } catch (e) { return e.message; } }"
    )
    assert said == "there are 6 weights, but 3 are taken"
    tab.close()


def test_scripts_of_weights_stay_small(tmp_path, mnist):
    live.write_models(tmp_path)
    size = {file.stem: file.stat().st_size for file in tmp_path.iterdir()}
    assert size.keys() == live.SCRIPTS.keys()
    assert size["vae"] + size["classifier"] <= 1_500_000
    assert size["generator"] <= 1_950_000
    (start, rest) = (tmp_path / "classifier.js").read_text(encoding="utf-8").split(", ", 1)
    assert start == 'gencomp.model("classifier"'
    assert json.loads(rest.removesuffix(");\n")).keys() == {"networks", "weights"}
