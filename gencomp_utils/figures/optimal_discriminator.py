"""Figures of the page "The optimal discriminator"."""

import numpy as np
from matplotlib.figure import Figure
from scipy.special import expit

from gencomp_utils.distributions import FloatArray
from gencomp_utils.figures.shared import BLUE, GREEN, ORANGE, described, level, new


def best(x: FloatArray, p_data: FloatArray, p_g: FloatArray) -> Figure:
    """Draw two densities, and below them the best discriminator."""
    fig, (top, bottom) = new(height=4.4, rows=2, sharex=True)
    top.plot(x, p_data, color=BLUE, label="data")
    top.plot(x, p_g, color=ORANGE, label="generator")
    top.set(ylabel="density", xlim=(-6, 6), ylim=(0, 0.3))
    top.legend(loc="upper right")
    bottom.plot(x, p_data / (p_data + p_g), "--", color=GREEN)
    level(bottom, 0.5)
    bottom.set(xlabel="x", ylabel="D*(x)", ylim=(0, 1))
    text = "Above, two data peaks at −2 and 2 and one broad peak of the generator. Below, D*: above"
    return described(fig, f"{text} one half at the data's peaks, near 0 between them and far out.")


def learning(step: int, x: FloatArray, ratio: FloatArray, history: dict[int, FloatArray]) -> Figure:
    """Draw a network's output and logit after a step, beside the best ones."""
    fig, (top, bottom) = new(height=4.4, rows=2, sharex=True)
    for logit, style, label in ((ratio, "--", "D*"), (history[step], "-", "network")):
        top.plot(x, expit(logit), style, color=GREEN, label=label)
        bottom.plot(x, logit, style, color=GREEN)
    top.set(ylabel="D(x)", xlim=(-7, 7), ylim=(0, 1.3), yticks=[0, 0.5, 1])
    top.legend(loc="upper center", ncols=2)
    bottom.set(xlabel="x", ylabel="logit", ylim=(-10, 4))
    answers = expit(history[step])
    text = f"After {step} steps the network answers {answers.min():.2f} to {answers.max():.2f}. D*"
    return described(fig, f"{text} has two peaks, and its logit falls steeply on both sides.")


def memory(x: FloatArray, logits: FloatArray, real: FloatArray, fake: FloatArray) -> Figure:
    """Draw a discriminator and the few samples of two equal distributions it was trained on."""
    fig, ax = new()
    ax.plot(x, expit(logits), color=GREEN, label="D")
    ax.axhline(0.5, color=GREEN, linestyle="--", label="D*")
    ax.plot(real, np.full(len(real), 1.08), "o", color=BLUE, label="real")
    ax.plot(fake, np.full(len(fake), -0.08), "s", color=ORANGE, label="generated")
    ax.set(xlabel="x", ylabel="D(x)", xlim=(-3, 3), ylim=(-0.15, 1.5), yticks=[0, 0.5, 1])
    ax.legend(loc="upper center", ncols=4, fontsize=10)
    text = "D jumps several times from nearly 0 to nearly 1, up at the real points and down at the"
    return described(fig, f"{text} generated ones; D* is flat at one half.")
