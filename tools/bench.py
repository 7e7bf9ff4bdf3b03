"""Measure the training loops beside plain ones, as PyTorch's examples have them, on this machine.

Both loops train the same network with the same batch size, in turns, in one process; what counts is
the median of the ratios. The plain loop has a DataLoader over PIL images with a transform for each,
float32, an optimiser as it comes, and a sigmoid before the cross-entropy. The last column compares
our rate of floating-point operations with that of large matrix products on the same machine.
ONEDNN_MAX_CPU_ISA=AVX2 makes a newer processor stand in for an older one.
"""

import platform
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from gencomp_utils import training
from gencomp_utils.data import load_mnist
from gencomp_utils.models import DCGANConfig, Model, State, VAEConfig

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
ROUNDS = 7
SECONDS_A_TURN = 3.0
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

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.code = nn.Linear(784, 400), nn.Linear(400, 40)
        self.back, self.pixels = nn.Linear(20, 400), nn.Linear(400, 784)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.code(F.relu(self.hidden(x.flatten(1)))).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor) -> Tensor:
        return self.pixels(F.relu(self.back(z))).unflatten(1, (1, 28, 28))

    def reconstruction(self, z: Tensor, x: Tensor) -> Tensor:
        lost = F.binary_cross_entropy_with_logits(self.decode(z), x, reduction="none")
        return lost.flatten(1).sum(dim=1)


def plain_batches(images: np.ndarray, batch_size: int, signed: bool) -> Iterator[Tensor]:
    loader = DataLoader(Digits(images, signed), batch_size, shuffle=True, drop_last=True)
    for _ in count():
        for x, _ in loader:
            yield x.to(DEVICE)


def plain_vae(vae: nn.Module, optimizer: torch.optim.Optimizer, images: np.ndarray) -> Loop:
    for x in plain_batches(images, 128, signed=False):
        optimizer.zero_grad()
        mean, log_variance = vae.encode(x)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        made = torch.sigmoid(vae.decode(z))
        loss = F.binary_cross_entropy(made, x, reduction="sum")
        loss = loss - 0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
        (loss / len(x)).backward()
        optimizer.step()
        yield loss.item() / len(x)


def plain_dcgan(config: DCGANConfig, images: np.ndarray) -> Loop:
    players = config.networks()
    generator, discriminator = (player.to(DEVICE) for player in players.values())
    rates = {"lr": config.learning_rate, "betas": (config.beta1, 0.999)}
    move_g = torch.optim.Adam(generator.parameters(), **rates)
    move_d = torch.optim.Adam(discriminator.parameters(), **rates)
    loss = nn.BCELoss()
    for x in plain_batches(images, config.batch_size, signed=True):
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


def ours(config: Model, state: State, images: np.ndarray) -> Loop:
    shown, no_labels = torch.tensor(images, device=DEVICE), torch.empty(0)
    for epoch in count():
        yield from training.epoch_steps(state, config, shown, no_labels, epoch)


def fully_connected(images: np.ndarray) -> tuple[int, Loop, Loop]:
    config = VAEConfig(latent_dim=20, batch_size=128)
    mine, plain = FullyConnectedVAE().to(DEVICE), FullyConnectedVAE().to(DEVICE)
    if training.gains_from_bfloat16(config, DEVICE):
        training.use_bfloat16(mine)
    fused = torch.optim.Adam(mine.parameters(), 1e-3, fused=True)
    adam = torch.optim.Adam(plain.parameters(), 1e-3)
    state = State({"vae": mine}, {"vae": fused})
    return 128, ours(config, state, images), plain_vae(plain, adam, images)


def convolutional(images: np.ndarray) -> tuple[int, Loop, Loop]:
    config = VAEConfig(batch_size=128)
    plain = config.networks()["vae"].to(DEVICE)
    state = training.start(config, DEVICE, training.gains_from_bfloat16(config, DEVICE))
    return 128, ours(config, state, images), plain_vae(plain, config.optimizer(plain), images)


def dcgan(images: np.ndarray) -> tuple[int, Loop, Loop]:
    config = DCGANConfig()
    state = training.start(config, DEVICE, training.gains_from_bfloat16(config, DEVICE))
    return config.batch_size, ours(config, state, images), plain_dcgan(config, images)


PAIRS: dict[str, Callable[[np.ndarray], tuple[int, Loop, Loop]]] = {
    "VAE 784-400-20": fully_connected,
    "convolutional VAE": convolutional,
    "DCGAN": dcgan,
}


def seconds(loop: Loop, steps: int) -> float:
    """Time a step; the last one is waited for on a GPU."""
    started = time.perf_counter()
    last = list(islice(loop, steps))[-1]
    if isinstance(last, Tensor):
        last.sum().item()
    return (time.perf_counter() - started) / steps


def product_rate() -> float:
    """Floating-point operations a second in products of matrices, as ours are computed."""
    bfloat16 = training.gains_from_bfloat16(DCGANConfig(), DEVICE)
    kind = torch.bfloat16 if bfloat16 else torch.float32
    a, b = (torch.randn(2048, 2048, device=DEVICE).to(kind) for _ in range(2))

    def product() -> float:
        started = time.perf_counter()
        (a @ b)[0, 0].item()
        return time.perf_counter() - started

    return 2 * 2048**3 / min(product() for _ in range(5))


def row(name: str, images: np.ndarray) -> str:
    """Time both loops in turns, and say what was found."""
    batch, mine, plain = PAIRS[name](images)
    with FlopCounterMode(display=False) as flops:
        next(mine)
    next(plain)
    turns = [max(2, round(SECONDS_A_TURN / seconds(loop, 2))) for loop in (mine, plain)]
    times = [(seconds(mine, turns[0]), seconds(plain, turns[1])) for _ in range(ROUNDS)]
    fast, slow = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(other / one for one, other in times)
    rate = flops.get_total_flops() / fast
    return (
        f"| {name} | {batch / fast:,.0f} | {batch / slow:,.0f} | {ratio:.2f} "
        f"| {flops.get_total_flops() / batch / 1e6:.1f} | {rate / 1e9:.0f} "
        f"| {rate / product_rate():.0%} |"
    )


def machine() -> str:
    if DEVICE == "cuda":
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return (
        f"{models[0] if models else platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"
    )


def main() -> None:
    print(f"Machine: {machine()}; {torch.get_num_threads()} threads; PyTorch {torch.__version__}\n")
    print("| network | ours, images/s | plain | ratio | MFLOP/image | GFLOP/s | of products |")
    print("|---|---|---|---|---|---|---|")
    images = load_mnist().train_images
    for name in PAIRS:
        print(row(name, images), flush=True)


if __name__ == "__main__":
    main()
