"""A training from its settings to its last epoch, whatever it is that is trained."""

import math
import time
from collections.abc import Callable, Iterator
from itertools import chain, count, islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from gencomp_utils.models.base import Model, State
from gencomp_utils.progress import progress

FINGERPRINT_STEPS = 10
BORDER_STEPS = 3
_TRIED_STEPS = 10
_LARGE_STEP = 64


class TrainingDiverged(RuntimeError):
    """The loss is no longer a finite number."""


def start(config: Model[Any], device: str = "cpu", bfloat16: bool = False) -> State:
    """Make the networks and their optimisers as they are before the first step.

    They are to be trained on `device`, such as ``"cuda"``, perhaps with products in bfloat16;
    weights, losses and measurements stay in float32.
    """
    networks = config.networks()
    for network in networks.values():
        # A tenth faster in float32 on a processor without AVX-512. On Apple's GPUs the gradient of
        # batch normalisation is wrong in this order (pytorch/pytorch#175189).
        order = torch.preserve_format if device == "mps" else torch.channels_last
        network.to(device, memory_format=order)  # type: ignore[call-overload]
        if bfloat16:
            use_bfloat16(network)
    return State(networks, {role: config.optimizer(part) for role, part in networks.items()})


def use_bfloat16(network: nn.Module) -> None:
    """Let each part of a network compute its products in bfloat16 while it trains."""
    for part in network.children():
        part.forward = _in_bfloat16(part)


def _in_bfloat16(part: nn.Module) -> Callable[[Tensor], Tensor]:
    forward = part.forward

    def forward_in_bfloat16(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=part.training):
            y: Tensor = forward(x)
        return y.float()

    return forward_in_bfloat16


def train(state: State, config: Model[Any], images: Tensor, labels: Tensor) -> Iterator[State]:
    """Train until the last epoch, from where `state` stands.

    The state, from :func:`start` or a checkpoint, is changed in place, and given after each epoch
    with the epoch's losses, its seconds and an entry in its history; its networks are then in
    evaluation mode. Images are bytes, shape (n, 28, 28), and labels int64, on the networks' device.
    A ValueError if there are none, and TrainingDiverged if a loss isn't finite at an epoch's end.
    """
    for epoch in range(len(state.history), config.epochs):
        started = time.perf_counter()
        label = f"epoch {epoch + 1} of {config.epochs}"
        steps = epoch_steps(state, config, images, labels, epoch)
        losses = torch.stack(list(progress(steps, label, config.steps(len(images)))))
        means = dict(zip(config.losses, losses.mean(dim=0).tolist(), strict=True))
        for name, mean in means.items():
            if not math.isfinite(mean):
                raise TrainingDiverged(
                    f"{name} became {mean} in {label}; a learning_rate below "
                    f"{config.learning_rate:g} may help"
                )
        state.losses.append(losses.cpu())
        state.history.append(means)
        state.seconds.append(time.perf_counter() - started)
        for network in state.networks.values():
            network.eval()
        yield state


def epoch_steps(
    state: State, config: Model[Any], images: Tensor, labels: Tensor, epoch: int
) -> Iterator[Tensor]:
    """Run one epoch, counted from 0, and yield the two losses of each step, before the step.

    A ValueError if there are no images.
    """
    if len(images) == 0:
        raise ValueError("images has none, but a training needs at least one")
    for network in state.networks.values():
        network.train()
    return config.epoch(state, images, labels, epoch)


def fingerprint(
    config: Model[Any], images: Tensor, labels: Tensor, steps: int = FINGERPRINT_STEPS
) -> list[float]:
    """Give the losses of a few steps, computed in float64 on the CPU.

    The first `steps` of the training, and then those of a training on so few images that two
    epochs have three steps each. A recorded run stores them; whoever gets others is not running
    the recorded experiment. Weights, images and noise are those of the run, drawn in float32. In
    float32 throughout, the losses of a DCGAN would differ from machine to machine: Adam's first
    steps follow the sign of a gradient, however small, and rounding decides some of the signs.

    Images and labels are on the CPU; both losses of each step are given one after the other.
    """
    enough = count(config.batch_size, config.batch_size)
    few = next(size for size in enough if config.steps(size) == BORDER_STEPS)
    first = epoch_steps(_start_in_float64(config), config, images, labels, epoch=0)
    state = _start_in_float64(config)
    border = [epoch_steps(state, config, images[:few], labels[:few], epoch) for epoch in range(2)]
    return torch.cat([*islice(first, steps), *chain(*border)]).tolist()


def _start_in_float64(config: Model[Any]) -> State:
    state = start(config)
    for network in state.networks.values():
        network.double()
        for part in network.modules():
            if any(True for _ in part.parameters(recurse=False)):
                part.register_forward_pre_hook(lambda _, inputs: inputs[0].double())
    return state


def seconds_a_step(
    config: Model[Any], images: Tensor, labels: Tensor, bfloat16: bool = False
) -> float:
    """Try a few steps on networks that are thrown away, for an estimate before a long training."""
    state = start(config, str(images.device), bfloat16)
    epochs = (epoch_steps(state, config, images, labels, epoch) for epoch in count())
    steps = chain.from_iterable(epochs)
    next(steps).sum().item()  # the first one allocates; item() waits for a GPU
    started = time.perf_counter()
    torch.stack(list(islice(steps, _TRIED_STEPS))).sum().item()
    return (time.perf_counter() - started) / _TRIED_STEPS


def multiply_adds(work: Callable[[], object]) -> float:
    """Count the multiply-adds of the convolutions and matrix products in a piece of work.

    Examples
    --------
    >>> layer = nn.Linear(5, 7)
    >>> multiply_adds(lambda: layer(torch.zeros(3, 5)))  # 3 · 5 · 7
    105.0
    """
    with FlopCounterMode(display=False) as counted:
        work()
    return float(counted.get_total_flops()) / 2


def multiply_adds_an_image(config: Model[Any]) -> float:
    """Count the multiply-adds of a training step, forward and backward, by image of its minibatch.

    Examples
    --------
    >>> from gencomp_utils.models import VAEConfig
    >>> multiply_adds_an_image(VAEConfig(batch_size=1)) > 1e6
    True
    """
    shown = next(size for size in count(config.batch_size) if config.steps(size) == 1)
    images, labels = torch.zeros((shown, 28, 28), dtype=torch.uint8), torch.zeros(shown).long()
    step = epoch_steps(start(config), config, images, labels, epoch=0)
    return multiply_adds(lambda: next(step)) / shown


def fastest_device() -> str:
    """Name the GPU if there is one, otherwise the CPU."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def gains_from_bfloat16(config: Model[Any], device: str) -> bool:
    """Say whether a training is faster with its products in bfloat16.

    The device must compute in bfloat16 itself, and not emulate it; and the steps must be large:
    the VAE gained nothing with 32 images a step, and with 128 between 7 and 27% of the time.
    """
    if config.batch_size < _LARGE_STEP:
        return False
    kind = torch.device(device).type
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # PyTorch tells what a processor can from 2.11 on; without a word from it nothing is gained.
    able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    if kind != "cpu" or not (able.get("avx512_bf16") or able.get("amx_bf16")):
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # false below ONEDNN_MAX_CPU_ISA
