"""Posters of the live game, drawn from games that Python plays by Algorithm 1."""

from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from scipy.special import expit
from scipy.stats import norm
from torch import Tensor, nn

from gencomp_utils import minimax
from gencomp_utils.divergences import js_divergence
from gencomp_utils.figures import shared
from gencomp_utils.figures.shared import BLUE, GREEN, ORANGE, PURPLE, bare, described, level, new
from gencomp_utils.models import game
from gencomp_utils.models.base import stream
from gencomp_utils.models.toys import RING, covered, draw_ring, fully_connected

_STD = 0.5  # of the data on the line


@dataclass(frozen=True)
class Preset:
    """A game as ``play.js`` begins it.

    Attributes
    ----------
    lr_g, lr_d, k
        Learning rates of both players, and steps of D in each iteration.
    mean, width
        On the line the data are N(mean, 0.5²), and the samples begin as N(0, width²). Without a
        mean the data are the ring.
    plain
        Both move by plain gradient descent, and G has the saturating loss; otherwise both move by
        Adam, and G has the non-saturating loss.
    iterations
        How many are played for the poster.
    """

    lr_g: float = 0.01
    lr_d: float = 0.01
    k: int = 1
    mean: float | None = None
    width: float = 1.0
    plain: bool = False
    iterations: int = 1050


PRESETS = {
    "equal": Preset(mean=3.0, iterations=480),
    "half": Preset(lr_d=0.001, mean=3.0, iterations=420),
    "plateau": Preset(0.1, 0.1, k=20, mean=5.0, width=0.5, plain=True, iterations=60),
    "speeds": Preset(lr_g=0.002, lr_d=0.003),
    "lost": Preset(lr_d=0.003, iterations=600),
}


def poster(preset: Preset) -> Figure:
    """Play a preset's game, and draw how it ends."""
    return _ring(preset) if preset.mean is None else _line(preset, preset.mean)


def _players(preset: Preset, *widths: list[int]) -> game.GAN:
    roles = ("generator", "discriminator")
    networks = [fully_connected(w, stream(0, role)) for w, role in zip(widths, roles, strict=True)]
    steps = [
        torch.optim.SGD(network.parameters(), lr)
        if preset.plain
        else torch.optim.Adam(network.parameters(), lr, (0.5, 0.999), fused=True)
        for network, lr in zip(networks, (preset.lr_g, preset.lr_d), strict=True)
    ]
    return game.GAN(networks[0], networks[1], steps[0], steps[1])


def _line(preset: Preset, mean: float) -> Figure:
    gan = _players(preset, [1, 1], [1, 16, 16, 1])
    (scale, shift), draws = gan.generator.parameters(), stream(0, "draws")
    nn.init.constant_(scale, preset.width)
    turns = game.algorithm_1(
        gan,
        lambda: mean + _STD * torch.randn(32, 1, generator=draws),
        lambda: torch.randn(32, 1, generator=draws),
        preset.iterations,
        preset.k,
        game.saturating_loss if preset.plain else game.non_saturating_loss,
    )
    x, dx = np.linspace(-4, 8, 2401, retstep=True)
    points = torch.tensor(x[:, None], dtype=torch.float32)
    p, at, values, costs = norm.pdf(x, mean, _STD) * dx, [], [], []
    for iteration, _ in enumerate(turns, start=1):
        if iteration > 1 and iteration % 10:
            continue
        a, b = shift.item(), abs(scale.item())
        q = norm.pdf(x, a, b) * dx
        with torch.no_grad():
            logits = gan.discriminator(points)[:, 0].double().numpy()
        at.append(iteration)
        p, q = p / p.sum(), q / q.sum()
        values.append(minimax.game_value(logits, p, q))
        costs.append(minimax.generator_cost(p, q))

    fig, (top, bottom) = new(5.5, 4.4, rows=2, height_ratios=(3, 2))
    top.plot(x, p / dx, color=BLUE, label="data")
    top.plot(x, q / dx, color=ORANGE, label="samples")
    top.plot(x, expit(logits), color=GREEN, label="D")
    top.plot(x, minimax.optimal_discriminator(p, q), "--", color=GREEN, label="D*")
    top.set(xlabel="x", ylabel="density; D(x)", ylim=(0, 1.9))
    top.legend(loc="upper left", ncols=2, fontsize=10)
    bottom.plot(at, costs, color=PURPLE, label="C(G)")
    bottom.plot(at, values, color=GREEN, label="V(D, G)")
    bottom.fill_between(at, values, costs, color=shared.VERMILLION, alpha=0.3, linewidth=0)
    level(bottom, -np.log(4), "−log 4")
    bottom.set(xlabel="iteration", ylabel="nats", ylim=(-2, 0.1))
    bottom.legend(loc="lower right", ncols=2, fontsize=10)
    told = (
        f"After {preset.iterations} iterations, samples N({a:.2f}, {b:.2f}²), data N({mean:g}, "
        f"{_STD}²), D and D*. Below, V(D, G) and C(G) by iteration, which end at {values[-1]:.2f} "
        f"and {costs[-1]:.2f} nats; the JSD is {js_divergence(p, q):.2f}."
    )
    return described(fig, told.replace("-", "−"))


def _ring(preset: Preset) -> Figure:
    gan = _players(preset, [2, 32, 32, 2], [2, 32, 32, 1])
    draws, z = stream(0, "draws"), torch.randn(1000, 2, generator=stream(0, "test"))
    turns = game.algorithm_1(
        gan,
        lambda: draw_ring(64, generator=draws),
        lambda: torch.randn(64, 2, generator=draws),
        preset.iterations,
        preset.k,
    )
    clouds = [_cloud(gan, z)]
    clouds += [_cloud(gan, z) for i, _ in enumerate(turns, 1) if 2 * i % preset.iterations == 0]
    by_mode = covered(torch.stack(clouds)).tolist()
    found = [*map(sum, by_mode)]
    fig, axes = new(5.5, 2.3, columns=3)
    for i, (ax, cloud, modes) in enumerate(zip(axes, clouds, by_mode, strict=True)):
        for centre, hit in zip(RING.tolist(), modes, strict=True):
            width = 2.5 if hit else 0.8
            ax.add_patch(Circle(centre, 0.25, fill=False, color=BLUE, linewidth=width))
        ax.plot(*cloud.T, ".", color=ORANGE, markersize=1.5)
        ax.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
        ax.set_title(f"iteration {i * preset.iterations // 2}\n{found[i]} of 8 modes", fontsize=11)
        bare(ax)
    return described(
        fig,
        f"Samples in the plane and eight modes on a ring: {found[0]} are found at the start, "
        f"{found[1]} halfway and {found[2]} after {preset.iterations} iterations.",
    )


@torch.no_grad()
def _cloud(gan: game.GAN, z: Tensor) -> Tensor:
    cloud: Tensor = gan.generator(z)
    return cloud
