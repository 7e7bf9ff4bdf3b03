"""Recorded networks as scripts for the page, and the figures that ask them."""

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from gencomp_utils import models, runs
from gencomp_utils.data import load_digits
from gencomp_utils.figures import live_networks as draw
from gencomp_utils.live import core
from gencomp_utils.models import ClassifierConfig, DCGANConfig, VAEConfig

_STEPS = 32  # to 1, of a code or of noise in a signed byte
_AS_IMAGE = nn.Unflatten(1, (1, 28, 28))


def script(name: str, parts: Mapping[str, nn.Module], **extra: Any) -> str:
    """Give the text of a script that hands networks and their weights to ``networks.js``.

    Parameters
    ----------
    name
        Where the page finds them, as ``gencomp.models[name]``.
    parts
        Functions by name, each a chain of layers whose weights fit into float16, as those of a
        recorded run do; a ValueError for other layers or weights.
    extra
        What else the script is to bring, such as images.

    Examples
    --------
    >>> print(script("rectifier", {"positive": nn.Sequential(nn.ReLU())}))
    gencomp.model("rectifier", {"networks": {"positive": [{"kind": "relu", "slope": 0.0}]}, ...
    """
    chains = {part: _leaves(network) for part, network in parts.items()}
    networks = {part: [*map(_described, layers)] for part, layers in chains.items()}
    weights = b"".join(_halves(layer) for layers in chains.values() for layer in layers)
    brought = {"networks": networks, "weights": _base64(weights), **extra}
    return f"gencomp.model({json.dumps(name)}, {json.dumps(brought)});\n"


def _vae() -> str:
    """Give the VAE with two code dimensions, and a test image of each digit in bytes."""
    network = runs.recorded(VAEConfig()).network()
    parts = {"encoder": nn.Sequential(_AS_IMAGE, network.encoder), "decoder": network.decoder}
    return script("vae", parts, pictures=_base64(_one_of_each()))


def _classifier() -> str:
    network = runs.recorded(ClassifierConfig()).network()
    return script("classifier", {"logits": nn.Sequential(_AS_IMAGE, network)})


def _generator() -> str:
    return script("generator", {"pixels": runs.recorded(DCGANConfig()).network()})


SCRIPTS: dict[str, Callable[[], str]] = {
    "vae": _vae,
    "classifier": _classifier,
    "generator": _generator,
}


def write_models(folder: Path) -> None:
    """Write the script of each recorded network that figures ask, such as ``vae.js``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in SCRIPTS.items():
        (folder / f"{name}.js").write_text(text(), encoding="utf-8")


def explorer() -> None:
    """Display the recorded VAE: draw a digit, see q(z|x), choose a code, see p(x|z) and (7)."""
    config, digits = VAEConfig(), load_digits()
    network = runs.recorded(config).network()
    image = _one_of_each()[7:8]
    mean, log_variance = models.encode(network, torch.tensor(image))
    decoded = config.sample(network, mean).numpy()
    with torch.no_grad():
        x = models.as_unit(torch.tensor(image))
        cost = models.bernoulli_cross_entropy(network.decode(mean), x).item()
    codes = config.codes(network, torch.tensor(digits.test_images[:600])).numpy()
    inside = np.abs(codes).max(axis=1) < 3
    codes, labels = codes[inside], digits.test_labels[: len(codes)][inside]
    start = {
        "x": _base64(image),
        "decoded": _base64(decoded),
        "mean": mean[0].tolist(),
        "logVariance": log_variance[0].tolist(),
        "reconstruction": cost,
        "codes": _base64(_in_bytes(codes)),
        "labels": "".join(map(str, labels)),
    }
    sigma = torch.exp(0.5 * log_variance[0]).numpy()
    poster = draw.explorer(image[0], decoded[0], mean[0].numpy(), sigma, codes, labels)
    _embed("explorer", poster, start, "vae", "classifier")


def generator() -> None:
    """Display the recorded DCGAN's generator: new noise, an arc between two, the length of z."""
    config = DCGANConfig()
    network = runs.recorded(config).network()
    drawn = torch.randn(12, config.latent_dim, generator=models.stream(0, "page"))
    noise = _in_bytes(drawn.numpy())
    images = config.sample(network, torch.tensor(noise / np.float32(_STEPS))).numpy()
    start = {"noise": _base64(noise), "images": _base64(images)}
    _embed("generator", draw.generator(images), start, "generator")


def _embed(figure: str, poster: Figure, start: Mapping[str, Any], *names: str) -> None:
    scripts = {name: SCRIPTS[name] for name in names}
    core.embed(figure, poster, {"start": start}, ("networks", figure), scripts)


def _one_of_each() -> np.ndarray:
    """Give the first test image of each digit, in bytes, shape (10, 28, 28)."""
    digits = load_digits()
    first = [np.argmax(digits.test_labels == digit) for digit in range(10)]
    return digits.test_images[first]


def _in_bytes(numbers: np.ndarray) -> np.ndarray:
    """Round numbers between −4 and 4 to signed bytes."""
    rounded: np.ndarray = np.clip(np.rint(numbers * _STEPS), -127, 127)
    return rounded.astype(np.int8)


def _base64(data: bytes | np.ndarray) -> str:
    return base64.b64encode(bytes(data)).decode()


def _leaves(network: nn.Module) -> list[nn.Module]:
    """List the layers of a chain; that which only counts pixels on end is left to the page."""
    chain = [layer for layer in network.modules() if not [*layer.children()]]
    return [layer for layer in chain if not isinstance(layer, nn.Flatten)]


def _described(layer: nn.Module) -> dict[str, Any]:
    """Name a layer and what it is made of, as ``networks.js`` takes them."""
    match layer:
        case nn.Unflatten():
            return {"kind": "reshape", "to": [*layer.unflattened_size]}
        case nn.Linear():
            return {"kind": "linear", "inputs": layer.in_features, "outputs": layer.out_features}
        case nn.Conv2d(dilation=(1, 1)):
            return _convolution("convolution", layer) | {"groups": layer.groups}
        case nn.ConvTranspose2d(dilation=(1, 1), groups=1, output_padding=(0, 0)):
            return _convolution("transposedConvolution", layer)
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return {"kind": "normalisation", "epsilon": layer.eps}
        case nn.ReLU():
            return {"kind": "relu", "slope": 0.0}
        case nn.LeakyReLU():
            return {"kind": "relu", "slope": layer.negative_slope}
        case nn.Tanh() | nn.Sigmoid():
            return {"kind": type(layer).__name__.lower()}
    raise ValueError(f"the network has {layer}, which networks.js doesn't know")


def _convolution(kind: str, layer: nn.Conv2d | nn.ConvTranspose2d) -> dict[str, Any]:
    sizes = {"kernel": layer.kernel_size, "stride": layer.stride, "padding": layer.padding}
    if any(len({*size}) > 1 for size in sizes.values()):
        raise ValueError(f"the network has {layer}, but networks.js takes squares")
    described = {"kind": kind, "outputs": layer.out_channels, "bias": layer.bias is not None}
    return described | {name: size[0] for name, size in sizes.items()}


def _halves(layer: nn.Module) -> bytes:
    """Give a layer's weights in PyTorch's order, 16 bits each, the lower byte first."""
    tensors = [value for value in layer.state_dict().values() if value.is_floating_point()]
    if any(bool((value.half().float() != value).any()) for value in tensors):
        raise ValueError(f"the weights of {layer} don't fit into float16")
    return b"".join(value.numpy().astype("<f2").tobytes() for value in tensors)
