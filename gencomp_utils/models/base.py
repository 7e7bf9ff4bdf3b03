"""What all models share: the protocol, checked settings, seeds, scales, steps and blocks."""

import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import Field, dataclass, field, fields
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gencomp_utils.data import Digits

Measured = dict[str, float]
Network = TypeVar("Network", bound=nn.Module)

_BLOCK = 100  # what fits into a processor's cache; a classifier takes twice as long in thousands


@dataclass
class State:
    """Where a training stands after an epoch: all that is needed to go on with it.

    Attributes
    ----------
    networks, optimizers
        By role, such as ``generator``; a run keeps the first network.
    losses, history
        By epoch: what each step yielded, shape (steps, 2), on the CPU; and the means of that, with
        what was measured after the epoch.
    samples, seconds
        By epoch: images of draws that stay the same, bytes, shape (64, 28, 28); and how long the
        epoch took, measuring left out.
    """

    networks: dict[str, Any]
    optimizers: dict[str, Optimizer]
    losses: list[Tensor] = field(default_factory=list)
    history: list[Measured] = field(default_factory=list)
    samples: list[Tensor] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def network(self) -> Any:
        """The network that the training is for, such as the generator."""
        return next(iter(self.networks.values()))


class Model(ABC, Generic[Network]):
    """A model and the settings of its training; all that the rest of the package asks of one.

    A subclass is a frozen dataclass whose fields, made by :func:`whole`, :func:`number` and
    :func:`switch`, define the experiment. Listed in ``gencomp_utils.models.MODELS``, it is trained,
    resumed, recorded and measured as the others are.

    Attributes
    ----------
    losses, latent_dim, borrowed
        Names of the two numbers that each step yields; numbers in a z that :meth:`sample` takes, 0
        where a model makes no images; test images, from the first on, that are trained on too.
    epochs, batch_size, learning_rate, seed
        Passes over the images, images in a minibatch, first step size, seed of all randomness.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    losses: ClassVar[tuple[str, str]]
    latent_dim: int = 0
    borrowed: int = 0
    epochs: int
    batch_size: int
    learning_rate: float
    seed: int

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = setting.metadata["check"](setting.name, getattr(self, setting.name))
            object.__setattr__(self, setting.name, value)

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """Make the networks by role, as they are before the first step; a run keeps the first."""

    @abstractmethod
    def optimizer(self, network: nn.Module) -> Optimizer:
        """Make what moves a network."""

    @abstractmethod
    def epoch(self, state: State, images: Tensor, labels: Tensor, epoch: int) -> Iterator[Tensor]:
        """Train for one epoch, counted from 0, and yield the two losses of each step.

        Images are bytes, shape (n, 28, 28), on the networks' device; losses are left there.
        """

    def pixels(self, network: Network, z: Tensor) -> Tensor:
        """Turn codes, shape (n, latent_dim), into pixels in [0, 1], shape (n, 1, 28, 28)."""
        raise NotImplementedError(f"{type(self).__name__} makes no images")

    def codes(self, network: Network, images: Tensor) -> Tensor:
        """Turn images in bytes into codes, shape (n, latent_dim), by an encoder."""
        raise NotImplementedError(f"{type(self).__name__} has no encoder")

    def sample(self, network: Network, z: Tensor) -> Tensor:
        """Turn draws from N(0, I), shape (n, latent_dim), into bytes, shape (n, 28, 28)."""
        return as_bytes(in_blocks(network, partial(self.pixels, network), z))

    def measure(self, network: Network, images: Tensor, labels: Tensor, epoch: int) -> Measured:
        """Measure the network on test images after an epoch; by default nothing."""
        return {}

    def steps(self, count: int) -> int:
        """Count the steps of an epoch over so many images."""
        return -(-count // self.batch_size)


def whole(default: int, least: int) -> Any:
    """Declare a setting that is an integer from `least` up."""
    return field(default=default, metadata={"check": partial(_whole, least=least)})


def number(
    default: float | None,
    least: float = -math.inf,
    above: float = -math.inf,
    below: float = math.inf,
    optional: bool = False,
) -> Any:
    """Declare a setting that is a finite number within bounds, or None where it is optional."""
    check = partial(_number, least=least, above=above, below=below, optional=optional)
    return field(default=default, metadata={"check": check})


def switch(default: bool) -> Any:
    """Declare a setting that is on or off."""
    return field(default=default, metadata={"check": _switch})


def _whole(name: str, value: Any, least: int) -> int:
    integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not (integer and least <= value < 1 << 63):
        limit = " and below 2⁶³" if integer and value > least else ""
        raise ValueError(f"{name} is {value!r}, but must be an integer from {least} up{limit}")
    return int(value)


def _number(
    name: str, value: Any, least: float, above: float, below: float, optional: bool
) -> float | None:
    if value is None and optional:
        return None
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    try:
        coerced = float(value) + 0.0 if real else math.nan  # -0.0 becomes the 0.0 that it equals
    except OverflowError:
        coerced = math.inf
    if not (least <= coerced < below and above < coerced):
        ends = f"from {least:g} up" if math.isfinite(least) else f"above {above:g}"
        limit = f" and below {below:g}" if math.isfinite(below) else ""
        raise ValueError(
            f"{name} is {value!r}, but must be a number {ends}{limit}{' or None' * optional}"
        )
    return coerced


def _switch(name: str, value: object) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} is {value!r}, but must be True or False")
    return bool(value)


def stream(seed: int, purpose: str, epoch: int = 0) -> torch.Generator:
    """Return a generator of its own for each purpose and epoch, always on the CPU.

    So a run draws the same numbers on every device, a resumed one draws what it would have
    drawn, and the global generator is left alone.
    """
    words = np.random.SeedSequence([seed, epoch, *purpose.encode()]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0]) >> 1)


def as_unit(images: Tensor) -> Tensor:
    """Scale bytes, shape (n, 28, 28), to [0, 1], and add the channel that convolutions expect.

    Examples
    --------
    >>> as_unit(torch.full((1, 28, 28), 255, dtype=torch.uint8)).max()
    tensor(1.)
    """
    return images.unsqueeze(1).float() / 255


def as_signed(images: Tensor) -> Tensor:
    """Scale bytes, shape (n, 28, 28), to [−1, 1], as tanh gives them, and add the channel.

    Examples
    --------
    >>> as_signed(torch.zeros(1, 28, 28, dtype=torch.uint8)).max()
    tensor(-1.)
    """
    return images.unsqueeze(1).float() / 127.5 - 1


def as_bytes(x: Tensor) -> Tensor:
    """Round pixels in [0, 1], shape (n, 1, 28, 28), to bytes, shape (n, 28, 28).

    Examples
    --------
    >>> as_bytes(torch.tensor([[[[0.0, 0.1, 1.0]]]]))
    tensor([[[  0,  26, 255]]], dtype=torch.uint8)
    """
    return (x.squeeze(1) * 255).round().byte()


def split(config: Model[Any], digits: Digits) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Give images (bytes) and labels (int64) to train on, and images and labels to measure on.

    A ValueError if the settings borrow all test images.
    """
    borrowed = config.borrowed
    if borrowed >= len(digits.test_images):
        raise ValueError(
            f"borrowed is {borrowed}, but must be below {len(digits.test_images)}, the number of "
            "test images"
        )
    images = torch.tensor(np.concatenate([digits.train_images, digits.test_images]))
    labels = torch.tensor(np.concatenate([digits.train_labels, digits.test_labels])).long()
    count = len(digits.train_images) + borrowed
    return images[:count], labels[:count], images[count:], labels[count:]


def descend(optimizer: Optimizer, loss: Tensor) -> None:
    """Take one step down the gradient of a loss; gradients left from before don't count."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def anneal(optimizer: Optimizer, learning_rate: float, done: float) -> None:
    """Lower the step size along a half cosine, from its full value to 0 as `done` goes to 1."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * (1 + math.cos(math.pi * done)) / 2


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, share: float) -> None:
    """Move an average by a share of the way to a network, running statistics included."""
    for mean, now in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        mean.copy_(torch.lerp(mean, now, share) if mean.is_floating_point() else now)


@torch.no_grad()
def in_blocks(network: nn.Module, function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Apply a function of a network to inputs of equal length, a hundred rows at a time.

    Inputs go to the network's device, results come back to the CPU. A ValueError if the network is
    in training mode, where batch normalisation mixes what is in a block.

    Examples
    --------
    >>> in_blocks(nn.ReLU().eval(), nn.ReLU(), torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    if network.training:
        raise ValueError(
            f"network is a {type(network).__name__} in training mode, but must be in evaluation "
            "mode to be measured; call its eval() first"
        )
    device = next((weight.device for weight in network.parameters()), torch.device("cpu"))
    blocks = zip(*(some.split(_BLOCK) for some in inputs), strict=True)
    return torch.cat([function(*(part.to(device) for part in block)).cpu() for block in blocks])


def initialise(network: nn.Module, generator: torch.Generator, std: float | None = None) -> None:
    """Draw weights by Glorot's choice, or from N(0, std²) with normalisers' scales from N(1, std²).

    Biases become zero. The generator is on the CPU; the global one is left alone.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            if std is None:
                nn.init.xavier_uniform_(layer.weight, generator=generator)
            else:
                nn.init.normal_(layer.weight, 0.0, std, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d) and std is not None:
            nn.init.normal_(layer.weight, 1.0, std, generator=generator)
