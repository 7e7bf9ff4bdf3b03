"""Measure the training loops beside plain ones, as PyTorch's examples have them, on this machine.

Both loops train the same network with the same batch size, in turns, in one process; what counts is
the median of the ratios. The plain loop has a DataLoader over PIL images with a transform for each,
float32, an optimiser as it comes, and a sigmoid before the cross-entropy.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from gencomp_utils import experiments, training
from gencomp_utils.data import load_mnist
from gencomp_utils.settings import DCGANConfig, VAEConfig

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
ROUNDS = 7
BATCHES = (16, 32, 64, 128, 256)
PLAIN_ADAM = 1e-3
Loop = Iterator[object]


class Digits(Dataset[tuple[Tensor, int]]):
    """Images that are opened and transformed one by one, as torchvision's MNIST and ToTensor do."""

    def __init__(self, images: np.ndarray, signed: bool) -> None:
        self.images, self.signed = torch.tensor(images), signed

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.images[index].numpy())
        pixels = torch.from_numpy(np.array(image, copy=True)).view(image.height, image.width, 1)
        scaled = pixels.permute(2, 0, 1).contiguous().to(torch.float32).div(255)
        return (scaled.sub(0.5).div(0.5) if self.signed else scaled), 0


class FullyConnectedVAE(nn.Module):
    """The 784-400-20 network of PyTorch's example."""

    latent_dim = 20

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.code = nn.Linear(784, 400), nn.Linear(400, 40)
        self.back, self.pixels = nn.Linear(20, 400), nn.Linear(400, 784)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.code(F.relu(self.hidden(x.flatten(1)))).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor) -> Tensor:
        return self.pixels(F.relu(self.back(z))).unflatten(1, (1, 28, 28))


def plain_batches(images: np.ndarray, batch_size: int, signed: bool) -> Iterator[Tensor]:
    loader = DataLoader(Digits(images, signed), batch_size, shuffle=True, drop_last=True)
    for _ in count():
        for x, _ in loader:
            yield x.to(DEVICE)


def plain_vae(vae: nn.Module, optimizer: torch.optim.Optimizer, batches: Iterator[Tensor]) -> Loop:
    for x in batches:
        optimizer.zero_grad()
        mean, log_variance = vae.encode(x)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        made = torch.sigmoid(vae.decode(z))
        loss = F.binary_cross_entropy(made, x, reduction="sum")
        loss = loss - 0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
        (loss / len(x)).backward()
        optimizer.step()
        yield loss.item() / len(x)


def plain_dcgan(config: DCGANConfig, batches: Iterator[Tensor]) -> Loop:
    players = in_plain_order(experiments.start(config, DEVICE).networks)
    generator, discriminator = players["generator"], players["discriminator"]
    rates = {"lr": config.learning_rate, "betas": (config.beta1, 0.999)}
    move_g = torch.optim.Adam(generator.parameters(), **rates)
    move_d = torch.optim.Adam(discriminator.parameters(), **rates)
    loss = nn.BCELoss()
    for x in batches:
        ones, zeros = torch.ones(len(x), 1, device=DEVICE), torch.zeros(len(x), 1, device=DEVICE)
        discriminator.zero_grad()
        on_real = loss(torch.sigmoid(discriminator(x)), ones)
        on_real.backward()
        fake = generator(torch.randn(len(x), config.latent_dim, device=DEVICE))
        on_fake = loss(torch.sigmoid(discriminator(fake.detach())), zeros)
        on_fake.backward()
        move_d.step()
        generator.zero_grad()
        fooled = loss(torch.sigmoid(discriminator(fake)), ones)
        fooled.backward()
        move_g.step()
        yield on_real.item() + on_fake.item(), fooled.item()


def ours(config: VAEConfig | DCGANConfig, images: Tensor) -> Loop:
    state = experiments.start(config, DEVICE)
    no_labels = torch.empty(0)
    bfloat16 = experiments.gains_from_bfloat16(config, DEVICE)
    for epoch in count():
        yield from experiments.epoch_steps(state, config, images, no_labels, epoch, bfloat16)


def fully_connected(
    vae: nn.Module, optimizer: torch.optim.Optimizer, config: VAEConfig, images: Tensor
) -> Loop:
    bfloat16 = experiments.gains_from_bfloat16(config, DEVICE)
    with experiments.in_bfloat16([vae]) if bfloat16 else nullcontext():
        for epoch in count():
            yield from training.vae_epoch(vae, optimizer, images, config, epoch)


def pair(name: str) -> tuple[int, Loop, Loop]:
    """Return the batch size, our loop and the plain one."""
    digits = load_mnist().train_images
    images = torch.tensor(digits, device=DEVICE)
    match name:
        case "VAE 784-400-20":
            config = VAEConfig(batch_size=128)
            mine, plain = FullyConnectedVAE().to(DEVICE), FullyConnectedVAE().to(DEVICE)
            fused = torch.optim.Adam(mine.parameters(), PLAIN_ADAM, fused=True)
            adam = torch.optim.Adam(plain.parameters(), PLAIN_ADAM)
            return (
                128,
                fully_connected(mine, fused, config, images),
                plain_vae(plain, adam, plain_batches(digits, 128, signed=False)),
            )
        case "convolutional VAE":
            config = VAEConfig(batch_size=128)
            plain = in_plain_order(experiments.start(config, DEVICE).networks)["vae"]
            batches = plain_batches(digits, 128, signed=False)
            return 128, ours(config, images), plain_vae(plain, rmsprop(plain), batches)
        case _:
            game = DCGANConfig()
            batches = plain_batches(digits, game.batch_size, signed=True)
            return game.batch_size, ours(game, images), plain_dcgan(game, batches)


def in_plain_order(networks: dict[str, nn.Module]) -> dict[str, nn.Module]:
    """Lay out weights in memory as layers come, where ours have channels last."""
    for network in networks.values():
        network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return networks


def rmsprop(vae: nn.Module) -> torch.optim.RMSprop:
    return torch.optim.RMSprop(vae.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)


STEPS = {"VAE 784-400-20": 100, "convolutional VAE": 50, "DCGAN": 12}


def seconds(loop: Loop, steps: int) -> float:
    started = time.perf_counter()
    last = list(islice(loop, steps))[-1]
    if isinstance(last, Tensor):
        last.sum().item()  # waits for a GPU
    return (time.perf_counter() - started) / steps


def compare(name: str) -> dict[str, float]:
    """Time both loops in turns."""
    batch, fast, plain = pair(name)
    seconds(fast, 3)
    seconds(plain, 3)
    times = [(seconds(fast, STEPS[name]), seconds(plain, STEPS[name])) for _ in range(ROUNDS)]
    return {
        "ours": batch / statistics.median(mine for mine, _ in times),
        "plain": batch / statistics.median(theirs for _, theirs in times),
        "ratio": statistics.median(theirs / mine for mine, theirs in times),
    }


def memory(name: str, which: str) -> dict[str, float]:
    """Give the peak memory of a process that does nothing but this loop."""
    _, fast, plain = pair(name)
    seconds(fast if which == "ours" else plain, 20)
    return {"MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def by_batch(name: str) -> dict[str, float]:
    """Give images a second at several batch sizes."""
    images = torch.tensor(load_mnist().train_images, device=DEVICE)
    config = DCGANConfig() if name == "DCGAN" else VAEConfig()
    rates = {}
    for size in BATCHES:
        loop = ours(replace(config, batch_size=size), images)
        seconds(loop, 3)
        steps = max(5, STEPS[name] * 50 // size)
        rates[str(size)] = size / min(seconds(loop, steps) for _ in range(3))
    return rates


def share(name: str) -> dict[str, float]:
    """Compare a step's operations with what large matrix products reach."""
    batch, fast, _ = pair(name)
    seconds(fast, 3)
    with FlopCounterMode(display=False) as flops:
        next(fast)
    reached = flops.get_total_flops() / min(seconds(fast, STEPS[name]) for _ in range(3))
    rates = {str(kind): product_rate(kind) for kind in (torch.float32, torch.bfloat16)}
    return {"reached": reached, "per_image": flops.get_total_flops() / batch, **rates}


def product_rate(kind: torch.dtype) -> float:
    a, b = (torch.randn(2048, 2048, device=DEVICE).to(kind) for _ in range(2))
    times = []
    for _ in range(5):
        started = time.perf_counter()
        (a @ b)[0, 0].item()
        times.append(time.perf_counter() - started)
    return 2 * 2048**3 / min(times)


MEASURES: dict[str, Callable[..., dict[str, float]]] = {
    "compare": compare,
    "memory": memory,
    "by_batch": by_batch,
    "share": share,
}


def alone(measure: str, *arguments: str, isa: str | None = None) -> dict[str, float]:
    """Measure in a process of its own, if asked for as an older processor."""
    environment = os.environ | ({"ONEDNN_MAX_CPU_ISA": isa} if isa else {})
    command = [sys.executable, __file__, measure, *arguments]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    measured: dict[str, float] = json.loads(answer.stdout)
    return measured


def machine() -> str:
    if DEVICE == "cuda":
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    extras = [name for name, there in torch.cpu.get_capabilities().items() if there is True]
    wide = [name for name in ("amx_bf16", "avx512_bf16", "avx512_f", "avx2") if name in extras]
    return f"{models[0] if models else platform.machine()} ({', '.join(wide)})"


def main() -> None:
    print(f"Machine: {machine()}; {torch.get_num_threads()} threads; PyTorch {torch.__version__}\n")
    print("| network | ours, images/s | plain | ratio | ratio, AVX2 | MB, ours | MB, plain |")
    print("|---|---|---|---|---|---|---|")
    for name in STEPS:
        now, older = alone("compare", name), alone("compare", name, isa="AVX2")
        sizes = [alone("memory", name, which)["MB"] for which in ("ours", "plain")]
        print(
            f"| {name} | {now['ours']:,.0f} | {now['plain']:,.0f} | {now['ratio']:.2f} "
            f"| {older['ratio']:.2f} | {sizes[0]:.0f} | {sizes[1]:.0f} |"
        )
    networks = ("convolutional VAE", "DCGAN")
    print("\n| images/s by batch size | " + " | ".join(map(str, BATCHES)) + " |")
    print("|---" * (len(BATCHES) + 1) + "|")
    for name in networks:
        rates = alone("by_batch", name).values()
        print(f"| {name} | " + " | ".join(f"{rate:,.0f}" for rate in rates) + " |")
    print("\n| network | MFLOP/image | GFLOP/s | of 2048² products, float32 | bfloat16 |")
    print("|---|---|---|---|---|")
    for name in STEPS:
        found = alone("share", name)
        shares = [
            f"{found['reached'] / found[str(kind)]:.0%} of {found[str(kind)] / 1e9:,.0f}"
            for kind in (torch.float32, torch.bfloat16)
        ]
        print(
            f"| {name} | {found['per_image'] / 1e6:.1f} | {found['reached'] / 1e9:.0f} "
            f"| {shares[0]} | {shares[1]} |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measure", nargs="?", choices=MEASURES, help="one part alone, as JSON")
    parser.add_argument("arguments", nargs="*")
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(MEASURES[asked.measure](*asked.arguments)))
    else:
        main()
