"""Figures of the page on the variational autoencoder."""

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

from gencomp_utils.figures import shared


def epoch(at: int, samples: np.ndarray, losses: dict[str, np.ndarray]) -> Figure:
    """Draw both losses, with dots after epoch `at`, beside samples made then."""
    fig, (left, right) = shared.new(height=3.2, columns=2)
    for (name, values), style in zip(losses.items(), (":", "-"), strict=True):
        shared.curves(left, {name: values}, color=shared.SKY, linestyle=style, marker="")
        left.plot(at, values[at - 1], "o", color=shared.SKY)
    left.set(ylabel="loss (7), nats per image")
    left.legend()
    shared.show_images(right, samples[:25], rows=5, columns=5)
    told = ", ".join(f"{name} {values[at - 1]:.0f}" for name, values in losses.items())
    return shared.described(fig, f"Loss after epoch {at}: {told}. Beside it 25 soft-edged images.")


def code_map(means: np.ndarray, labels: np.ndarray) -> Figure:
    """Draw codes as their labels, on axes along which the prior is even."""
    fig, ax = shared.new(width=4.6, height=4.4)
    for digit, colour in enumerate(shared.DIGITS):
        at = norm.cdf(means[labels == digit])
        ax.scatter(*at.T, marker=f"${digit}$", color=colour, s=26, linewidths=0.3)
    ticks = np.arange(-2, 3)
    ax.set(xlabel="first code dimension", ylabel="second code dimension", box_aspect=1)
    ax.set(xticks=norm.cdf(ticks), yticks=norm.cdf(ticks), xticklabels=ticks, yticklabels=ticks)
    told = "Ones lie above, sevens left, zeros below, sixes right; fours and nines lie mixed"
    return shared.described(fig, f"{told}; twos, threes, fives and eights crowd in the middle.")


def posterior(axes: np.ndarray, density: np.ndarray, mu: np.ndarray, sigma: np.ndarray) -> Figure:
    """Draw an exact posterior on a grid of codes, and the encoder's ellipses over it."""
    fig, ax = shared.new(width=5.4, height=3.9)
    shown = ax.pcolormesh(*axes, density.T, cmap="Blues", shading="gouraud")
    angle = np.linspace(0, 2 * np.pi, 200)
    for radius, style in ((1, "-"), (2, "--")):
        x, y = mu[:, None] + radius * sigma[:, None] * [np.cos(angle), np.sin(angle)]
        ax.plot(x, y, style, color=shared.VERMILLION, label=f"encoder, {radius}σ")
    ax.set(xlabel="first code dimension", ylabel="second code dimension", box_aspect=1)
    ax.legend(loc="upper left")
    fig.colorbar(shown, label="posterior density")
    return shared.described(fig, "A blue oval lies left in the ellipses of the encoder's answer.")
