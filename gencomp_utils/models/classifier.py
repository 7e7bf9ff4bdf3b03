"""The classifier of digits in whose features samples are compared, from settings to last epoch."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencomp_utils.models import base
from gencomp_utils.models.base import Measured, Model, State, number, stream, switch, whole


class Classifier(nn.Module):
    """A convolutional classifier of digits, whose last hidden layer serves as features.

    `width` is the number of channels of its first two layers; the others have twice as many.

    Examples
    --------
    >>> classifier = Classifier(torch.Generator().manual_seed(0)).eval()
    >>> classifier.features(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 64])
    >>> classifier(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 10])
    """

    def __init__(self, generator: torch.Generator, width: int = 32) -> None:
        super().__init__()
        wide = 2 * width
        with torch.random.fork_rng(devices=[]):  # layers draw weights that are replaced below
            self.hidden = nn.Sequential(
                *_normalised_convolution(1, width),
                *_normalised_convolution(width, width, stride=2),  # 32 × 14 × 14
                *_normalised_convolution(width, wide),
                *_normalised_convolution(wide, wide, stride=2),  # 64 × 7 × 7
                *_normalised_convolution(wide, wide),
                nn.Conv2d(wide, wide, 7, groups=wide, bias=False),  # a weighted mean each
                nn.Flatten(),
                nn.BatchNorm1d(wide),
                nn.ReLU(),
            )
            self.answer = nn.Linear(wide, 10)
        base.initialise(self, generator)

    def features(self, x: Tensor) -> Tensor:
        """Give what the last hidden layer sees, shape (n, 64), in pixels in [0, 1]."""
        seen: Tensor = self.hidden(x)
        return seen

    def forward(self, x: Tensor) -> Tensor:
        """Give the logits of the ten digits, shape (n, 10), for pixels in [0, 1]."""
        logits: Tensor = self.answer(self.features(x))
        return logits


def _normalised_convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


@dataclass(frozen=True)
class ClassifierConfig(Model[Classifier]):
    """What defines the training of the classifier.

    In each epoch the training images are slightly turned, scaled, shifted and blurred, anew each
    time, unless `distorted` is off. `learning_rate` is AdamW's first step size; it falls to 0
    along a half cosine.

    Examples
    --------
    >>> ClassifierConfig(seed=1).seed
    1
    """

    epochs: int = whole(10, least=1)
    batch_size: int = whole(128, least=2)
    learning_rate: float = number(4e-3, above=0)
    distorted: bool = switch(True)
    width: int = whole(32, least=1)
    seed: int = whole(0, least=0)

    losses: ClassVar = ("train_loss", "train_error")

    def networks(self) -> dict[str, nn.Module]:
        """Make the classifier, untrained."""
        return {"classifier": Classifier(stream(self.seed, "weights"), self.width)}

    def optimizer(self, network: nn.Module) -> torch.optim.AdamW:
        """Make AdamW."""
        return torch.optim.AdamW(network.parameters(), self.learning_rate, fused=True)

    def epoch(self, state: State, images: Tensor, labels: Tensor, epoch: int) -> Iterator[Tensor]:
        """Run one epoch and yield each step's cross-entropy, in nats, and share of errors.

        Both before the step; the cross-entropy is with smoothed labels.
        """
        classifier, optimizer = state.networks["classifier"], state.optimizers["classifier"]
        if len(images) % self.batch_size == 1:
            raise ValueError(
                f"batch_size is {self.batch_size}, which leaves a minibatch of one of "
                f"{len(images)} images, but batch normalisation needs two"
            )
        order = torch.randperm(len(images), generator=stream(self.seed, "order", epoch))
        distortions = _distortions(len(images), stream(self.seed, "distortions", epoch))
        parts = (part.to(images.device).split(self.batch_size) for part in (order, *distortions))
        for step, (batch, maps, softness) in enumerate(zip(*parts, strict=True)):
            done = (epoch + step / self.steps(len(images))) / self.epochs
            base.anneal(optimizer, self.learning_rate, done)
            x = base.as_unit(images[batch])
            logits = classifier(_distorted(x, maps, softness) if self.distorted else x)
            loss = F.cross_entropy(logits, labels[batch], label_smoothing=0.05)
            base.descend(optimizer, loss)
            errors = (logits.argmax(dim=1) != labels[batch]).float().mean()
            yield torch.stack([loss.detach(), errors])

    def measure(self, network: Classifier, images: Tensor, labels: Tensor, epoch: int) -> Measured:
        """Measure the share of test images that are named rightly."""
        return {"test_accuracy": accuracy(network, images, labels)}


def _distortions(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw small maps of the plane, and how much each image is blurred: half of them not at all.

    Turns by 12°, a tenth in scale, 2 pixels' shift at most. Means of a VAE are softer than any
    real image; a classifier that never saw blur takes its threes and fives for eights.
    """
    turn, scale, *shift = (2 * torch.rand(4, count, generator=generator) - 1).unbind()
    turn, scale = turn * math.radians(12), 1 + 0.1 * scale
    right, down = (part * 2 / 14 for part in shift)  # in half widths of the image
    rows = [turn.cos() / scale, -turn.sin() / scale, right, turn.sin() / scale, turn.cos() / scale]
    maps = torch.stack([*rows, down], dim=1).reshape(count, 2, 3)
    softness = (2 * torch.rand(count, 1, 1, 1, generator=generator) - 1).clamp(min=0)
    return maps, softness


def _distorted(x: Tensor, maps: Tensor, softness: Tensor) -> Tensor:
    """Move square images by maps of the plane, and mix each with itself blurred by 1.5 pixels."""
    # Not by affine_grid, whose matrix product rounds differently from processor to processor.
    across = (2 * torch.arange(x.shape[-1], device=x.device) + 1) / x.shape[-1] - 1
    rows = (row[:, :, None, None].unbind(1) for row in maps.unbind(1))
    grid = torch.stack([a * across + b * across[:, None] + c for a, b, c in rows], dim=-1)
    x = F.grid_sample(x, grid, align_corners=False)
    offsets = torch.arange(-4, 5, device=x.device)
    kernel = torch.exp(-(offsets**2) / (2 * 1.5**2))
    kernel = (kernel / kernel.sum()).reshape(1, 1, 1, -1)
    blurred = F.conv2d(F.conv2d(x, kernel, padding=(0, 4)), kernel.mT, padding=(4, 0))
    return (1 - softness) * x + softness * blurred


def features(classifier: Classifier, images: Tensor) -> Tensor:
    """Give the features, shape (n, 64), of any number of images in bytes, on the CPU."""
    return base.in_blocks(classifier, lambda b: classifier.features(base.as_unit(b)), images)


def probabilities(classifier: Classifier, images: Tensor) -> Tensor:
    """Give the probabilities of the digits, shape (n, 10), for any number of images in bytes."""
    return base.in_blocks(classifier, lambda b: classifier(base.as_unit(b)).softmax(1), images)


def accuracy(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    """Give the share of images in bytes that a classifier names rightly, between 0 and 1."""
    named = probabilities(classifier, images).argmax(dim=1)
    return (named == labels.cpu()).double().mean().item()
