"""A training from its settings to its last epoch, whatever it is that is trained."""

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import islice

import torch
from torch import Tensor, nn

from gencomp_utils.networks import VAE, Classifier, DCGANDiscriminator, DCGANGenerator
from gencomp_utils.progress import progress
from gencomp_utils.settings import ClassifierConfig, Config, DCGANConfig, VAEConfig
from gencomp_utils.training import (
    GAN,
    adam_of,
    classifier_epoch,
    dcgan_epoch,
    rmsprop_of,
    stream,
    vae_epoch,
)

FINGERPRINT_STEPS = 10
_TRIED_STEPS = 10
_LARGE_STEP = 64
# Names of the two losses that a step of each kind of training yields, in nats but for the
# share of errors.
LOSSES = {
    VAEConfig: ("train_loss", "train_kl"),
    DCGANConfig: ("discriminator_loss", "generator_loss"),
    ClassifierConfig: ("train_loss", "train_error"),
}


@dataclass
class State:
    """Where a training stands after an epoch: all that is needed to go on with it.

    Attributes
    ----------
    networks : dict of str to torch.nn.Module
        ``vae``; ``generator`` and ``discriminator``; or ``classifier``. A run keeps the first.
    optimizers : dict of str to torch.optim.Optimizer
        That of each network.
    losses : list of Tensor, shape (steps, 2)
        One entry an epoch, on the CPU: what each step yielded, by ``LOSSES``.
    history : list of dict
        One entry an epoch: the means of the losses, and what was measured after the epoch.
    """

    networks: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    losses: list[Tensor] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def model(self) -> nn.Module:
        """The network that the training is for: the VAE, the generator or the classifier."""
        return next(iter(self.networks.values()))


class TrainingDiverged(RuntimeError):
    """The loss is no longer a finite number."""


def start(config: Config, device: str = "cpu") -> State:
    """Make the networks and their optimisers as they are before the first step.

    Parameters
    ----------
    config : VAEConfig, DCGANConfig or ClassifierConfig
    device : str
        Where they are to be trained, such as ``"cuda"``.

    Returns
    -------
    State
    """
    networks = _untrained(config)
    for network in networks.values():
        # A tenth faster in float32 on a processor without AVX-512.
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return State(
        networks, {role: _optimizer(network, config) for role, network in networks.items()}
    )


def _untrained(config: Config) -> dict[str, nn.Module]:
    weights = stream(config.seed, "weights")
    match config:
        case VAEConfig():
            return {"vae": VAE(config.latent_dim, weights)}
        case DCGANConfig():
            choices = config.batch_norm, config.weight_std
            return {
                "generator": DCGANGenerator(config.latent_dim, weights, *choices),
                "discriminator": DCGANDiscriminator(weights, *choices),
            }
        case ClassifierConfig():
            return {"classifier": Classifier(weights)}


def _optimizer(network: nn.Module, config: Config) -> torch.optim.Optimizer:
    match config:
        case VAEConfig():
            return rmsprop_of(network.parameters(), config)
        case DCGANConfig():
            return adam_of(network.parameters(), config)
        case ClassifierConfig():
            return torch.optim.AdamW(network.parameters(), lr=config.learning_rate, fused=True)


def epoch_steps(
    state: State,
    config: Config,
    images: Tensor,
    labels: Tensor,
    epoch: int,
    bfloat16: bool = False,
) -> Iterator[Tensor]:
    """Run one epoch of whatever the settings are for.

    Parameters
    ----------
    state : State
        Changed in place.
    config : VAEConfig, DCGANConfig or ClassifierConfig
    images : Tensor of uint8, shape (n, 28, 28)
        On the networks' device.
    labels : Tensor of int64, shape (n,)
        Only a classifier learns from them.
    epoch : int
        Counted from 0.
    bfloat16 : bool
        Compute products in bfloat16, where :func:`gains_from_bfloat16` says that it pays.

    Yields
    ------
    Tensor, shape (2,)
        The step's two losses by ``LOSSES``, before the step; left on the device.
    """
    for network in state.networks.values():
        network.train()
    optimizers = state.optimizers
    with in_bfloat16(state.networks.values()) if bfloat16 else nullcontext():
        match config, state.networks:
            case VAEConfig(), {"vae": VAE() as vae}:
                yield from vae_epoch(vae, optimizers["vae"], images, config, epoch)
            case DCGANConfig(), {"generator": generator, "discriminator": discriminator}:
                gan = GAN(
                    generator, discriminator, optimizers["generator"], optimizers["discriminator"]
                )
                yield from dcgan_epoch(gan, images, config, epoch)
            case ClassifierConfig(), {"classifier": Classifier() as classifier}:
                optimizer = optimizers["classifier"]
                yield from classifier_epoch(classifier, optimizer, images, labels, config, epoch)


def train(
    state: State, config: Config, images: Tensor, labels: Tensor, bfloat16: bool = False
) -> Iterator[State]:
    """Train until the last epoch, from where `state` stands.

    Parameters
    ----------
    state : State
        From :func:`start` or a checkpoint; changed in place.
    config : VAEConfig, DCGANConfig or ClassifierConfig
    images, labels, bfloat16
        As for :func:`epoch_steps`.

    Yields
    ------
    State
        After each epoch, with the epoch's losses and an entry in its history.

    Raises
    ------
    TrainingDiverged
        If a loss is not finite at an epoch's end.
    """
    for epoch in range(len(state.history), config.epochs):
        label = f"epoch {epoch + 1} of {config.epochs}"
        steps = epoch_steps(state, config, images, labels, epoch, bfloat16)
        losses = torch.stack(list(progress(steps, label, steps_in_epoch(config, images))))
        means = dict(zip(LOSSES[type(config)], losses.mean(dim=0).tolist(), strict=True))
        for name, mean in means.items():
            if not math.isfinite(mean):
                raise TrainingDiverged(
                    f"{name} became {mean} in {label}; a learning_rate below "
                    f"{config.learning_rate:g} may help"
                )
        state.losses.append(losses.cpu())
        state.history.append(means)
        yield state


def steps_in_epoch(config: Config, images: Tensor) -> int:
    """Count the steps of an epoch; for a DCGAN, Algorithm 1's iterations.

    Parameters
    ----------
    config : VAEConfig, DCGANConfig or ClassifierConfig
    images : Tensor, shape (n, 28, 28)

    Returns
    -------
    int
    """
    if isinstance(config, DCGANConfig):
        return len(images) // (config.k * config.batch_size)
    return -(-len(images) // config.batch_size)


def fingerprint(config: Config, images: Tensor, labels: Tensor) -> list[float]:
    """Give the losses of the first steps, computed in float64 on the CPU.

    A recorded run stores them; whoever gets others is not running the recorded experiment. Weights,
    images and noise are those of the run, drawn in float32. In float32 throughout, the losses of a
    DCGAN would differ from machine to machine: Adam's first steps follow the sign of a gradient,
    however small, and rounding decides some of the signs.

    Parameters
    ----------
    config : VAEConfig, DCGANConfig or ClassifierConfig
    images : Tensor of uint8, shape (n, 28, 28)
        On the CPU.
    labels : Tensor of int64, shape (n,)

    Returns
    -------
    list of float
        Both losses of ten steps, one after the other.
    """
    state = start(config)
    for network in state.networks.values():
        network.double()
        for part in network.children():
            part.register_forward_pre_hook(lambda _, inputs: inputs[0].double())
    steps = epoch_steps(state, config, images, labels, epoch=0)
    return torch.cat(list(islice(steps, FINGERPRINT_STEPS))).tolist()


def seconds_a_step(config: Config, images: Tensor, labels: Tensor, bfloat16: bool = False) -> float:
    """Try a few steps on networks that are thrown away, for an estimate before a long training.

    Parameters
    ----------
    config : VAEConfig, DCGANConfig or ClassifierConfig
    images, labels, bfloat16
        As for :func:`epoch_steps`.

    Returns
    -------
    float
    """
    state = start(config, str(images.device))
    steps = epoch_steps(state, config, images, labels, 0, bfloat16)
    next(steps).sum().item()  # the first one allocates; item() waits for a GPU
    started = time.perf_counter()
    losses = list(islice(steps, _TRIED_STEPS))
    torch.stack(losses).sum().item()
    return (time.perf_counter() - started) / len(losses)


def gains_from_bfloat16(config: Config, device: str) -> bool:
    """Say whether a training is faster with its products in bfloat16.

    The device must compute in bfloat16 itself, and not emulate it; and the steps must be large:
    the VAE gained nothing with 32 images a step, and with 128 between 7 and 27 % of the time.

    Parameters
    ----------
    config : VAEConfig, DCGANConfig or ClassifierConfig
    device : str
        Such as ``"cpu"`` or ``"cuda"``.

    Returns
    -------
    bool
    """
    if config.batch_size < _LARGE_STEP:
        return False
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    if not (able.get("avx512_bf16") or able.get("amx_bf16")):
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # false below ONEDNN_MAX_CPU_ISA


class _InBfloat16(nn.Module):
    """A network whose products are computed in bfloat16; weights and results are in float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            y: Tensor = self.network(x)
        return y.float()


@contextmanager
def in_bfloat16(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Let the parts of networks compute their products in bfloat16.

    Weights, and what the parts return, stay in float32.

    Parameters
    ----------
    networks : iterable of torch.nn.Module
        Changed while the context lasts.
    """
    parts = [
        (network, name, part) for network in networks for name, part in network.named_children()
    ]
    for network, name, part in parts:
        setattr(network, name, _InBfloat16(part))
    try:
        yield
    finally:
        for network, name, part in parts:
            setattr(network, name, part)
