"""Posters of the live figures on theory, over which a kernel's sliders run."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.special import expit, logit, rel_entr
from scipy.stats import norm

from gencomp_utils.distributions import FloatArray
from gencomp_utils.evidence import Gaussian, LinearGaussian
from gencomp_utils.figures import shared
from gencomp_utils.figures.shared import BLUE, GREEN, ORANGE, PURPLE, SKY, described, level, new
from gencomp_utils.minimax import optimal_discriminator

Parts = list[tuple[float, float, float]]  # weight, mean and standard deviation


def _mixture(x: FloatArray, parts: Parts) -> FloatArray:
    return np.asarray(sum(weight * norm.pdf(x, mean, std) for weight, mean, std in parts))


def _losses(p: FloatArray, q: FloatArray, d: FloatArray | float = 0.5) -> FloatArray:
    """Give p log D*/D + q log (1 − D*)/(1 − D), what D loses at each x; twice the JSD's for ½."""
    return np.asarray(rel_entr(p, (p + q) * d) + rel_entr(q, (p + q) * (1 - d)))


def bells(
    mu: float,
    sigma: float,
    p_mean: float = 0,
    p_width: float = 1,
    show: str = "integrand",
    apart: float = 0,
) -> Figure:
    """Draw p and q = N(mu, sigma²), and what the page shows below: integrand, best or measures."""
    x, dx = np.linspace(-20, 24, 2201, retstep=True)
    p = _mixture(x, [(0.5, p_mean - apart, p_width), (0.5, p_mean + apart, p_width)])
    q = norm.pdf(x, mu, sigma)
    fig, (top, bottom) = new(width=5.5, height=4.4, rows=2, sharex=True)
    top.plot(x, p, color=BLUE, label="p")
    top.plot(x, q, color=ORANGE, label="q")
    top.set(ylabel="density", xlim=(-6, 10), ylim=(0, 0.85))
    top.legend(loc="upper right")
    told = f"Above, densities p around {p_mean:g} and q around {mu:g}."
    jsd = _losses(p, q).sum() * dx / 2
    if show == "integrand":
        bottom.fill_between(x, _losses(p, q) / 2, color=PURPLE)
        title = f"area = JSD = {jsd:.4f} nats"
        bottom.set(xlabel="x", ylabel="nats per unit of x", ylim=(0, 0.3), title=title)
        return described(fig, f"{told} Below, what each x adds to the JSD: {jsd:.4f} nats in all.")
    if show == "best":
        bottom.plot(x, optimal_discriminator(p, q), "--", color=GREEN)
        level(bottom, 0.5)
        bottom.set(xlabel="x", ylabel="D*(x)", ylim=(0, 1))
        return described(fig, f"{told} Below, D*: above one half where p is the higher one.")
    means = np.linspace(-4, 8, 61)
    moved = norm.pdf(x, means[:, None], sigma)
    drawn = {
        "W₁, units of x": (np.abs(np.cumsum(p - moved, axis=1)) * dx, "-", SKY),
        "JSD, nats": (_losses(p, moved) / 2, "-", PURPLE),
        "total variation": (np.abs(p - moved) / 2, "--", SKY),
        "KL(p‖q), nats": (rel_entr(p, moved), "-", shared.VERMILLION),
        "KL(q‖p), nats": (rel_entr(moved, p), "--", shared.VERMILLION),
    }
    for name, (terms, style, colour) in drawn.items():
        bottom.plot(means, terms.sum(axis=1) * dx, style, color=colour, label=name)
    level(bottom, mu, vertical=True)
    bottom.set(xlabel="mean of q", ylim=(0, 12))
    bottom.legend(loc="upper center", fontsize=9, ncols=3)
    return described(fig, f"{told} Below, by q's mean: W₁ keeps rising, the JSD levels off.")


def bent(data: Parts, model: Parts, **answers: float) -> Figure:
    """Draw data, samples, a D whose logits are straight between its answers, and its shortfall."""
    x, dx = np.linspace(-12, 12, 1201, retstep=True)
    p, q = _mixture(x, data), _mixture(x, model)
    knots = np.arange(len(answers)) - (len(answers) - 1) / 2
    d = expit(np.interp(x, knots, logit([*answers.values()])))
    losses = _losses(p, q, d)
    fig, (top, middle, bottom) = new(width=5.5, height=5.0, rows=3, sharex=True)
    top.plot(x, p, color=BLUE, label="data")
    top.plot(x, q, color=ORANGE, label="generator")
    top.set(ylabel="density")
    top.legend(loc="upper right", fontsize=9)
    middle.plot(x, d, "-", knots, [*answers.values()], "o", color=GREEN)
    middle.set(ylabel="D(x)", ylim=(0, 1), xlim=(-5, 5))
    bottom.fill_between(x, losses, color=shared.VERMILLION)
    bottom.set(xlabel="x", ylabel="shortfall", ylim=(0, max(0.3, losses.max())))
    alt = "Above, densities of data and generator; below them nine points of D, joined by a line"
    return described(fig, f"{alt}; and D's loss at each x, {losses.sum() * dx:.4f} nats in all.")


def gap(model: LinearGaussian, x: FloatArray, mu: float, sigma: float) -> Figure:
    """Draw q beside prior and posterior, and below log p(x) the bound over the mean of q."""
    fig, (top, bottom) = new(width=5.5, height=4.4, rows=2, sharex=True)
    z, posterior = np.linspace(-3, 3.5, 300), model.posterior(x)
    top.plot(z, norm.pdf(z), ":", color="black", label="prior")
    top.plot(z, np.exp(posterior.log_density(z[:, None])), color=BLUE, label="posterior")
    top.plot(z, norm.pdf(z, mu, sigma), color=ORANGE, label="q")
    top.set(ylabel="density", ylim=(0, 2))
    elbo = model.elbo(x, Gaussian(z[:, None], np.array([[sigma**2]])))
    low, high = float(np.interp(mu, z, elbo)), float(model.evidence.log_density(x))
    bottom.axhline(high, color="black", label="log p(x)")
    bottom.plot(z, elbo, color=PURPLE, label="ELBO")
    bottom.plot([mu, mu], [low, high], color=shared.VERMILLION, label="gap")
    bottom.set(xlabel="code z (above), mean of q (below)", ylabel="nats", ylim=(-16, -3))
    top.legend(loc="upper left", fontsize=9)
    bottom.legend(loc="lower center", fontsize=9)
    alt = f"Above, q around {mu:g}, beside the posterior around {posterior.mean[0]:g} and the prior"
    return described(fig, f"{alt} around 0. Below, the bound is {high - low:.2f} under log p(x).")


def collapse(codes: ArrayLike, spread: float, beta: float) -> Figure:
    """Draw each point's codes, their mixture and the prior, at the linear VAE's optimum for β."""
    fig, ax = new(width=5.5, height=3.0)
    a, z = max(spread, beta), np.linspace(-3.5, 3.5, 400)
    std, means = np.sqrt(beta / a), np.sqrt(a - beta) / a * np.asarray(codes)
    each = norm.pdf(z[:, None], means, std)
    ax.plot(z, each, color=ORANGE, linewidth=1, label=["q(z | x)"] + [""] * (len(means) - 1))
    ax.plot(z, each.mean(axis=1), "--", color=shared.GREY, label="aggregate q(z)")
    ax.plot(z, norm.pdf(z), ":", color="black", label="prior")
    ax.set(xlabel="code z", ylabel="density", ylim=(0, 3.2))
    ax.legend(loc="upper right", fontsize=9)
    alt = f"{len(means)} Gaussians of standard deviation {std:.2f}, their mixture and the prior"
    return described(fig, f"{alt}, for β = {beta:g}; they fall together at β = {spread:.2f}.")


def stamps(window: int, stride: int, padding: int) -> Figure:
    """Draw how many stamps of a 4 × 4 input lie on each output pixel, and that of one pixel."""
    window, stride, padding = int(window), int(stride), int(padding)  # sliders have 3.0
    along = np.zeros(3 * stride + window, dtype=int)
    for i in range(4):
        along[i * stride : i * stride + window] += 1
    counts, side = np.outer(along, along), len(along)
    fig, ax = new(width=4.4, height=4.2)
    ax.imshow(counts, cmap="Blues", vmin=0, vmax=1.5 * counts.max())
    for place, count in np.ndenumerate(counts):
        ax.text(*place, str(count), ha="center", va="center", size=9)
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]])
    ax.plot(*((side - 2 * padding) * square + padding - 0.5).T, "--", color="black")
    ax.plot(*(window * square + stride - 0.5).T, color=shared.VERMILLION)
    shared.bare(ax)
    alt = f"{side} by {side} cells, each with its number of stamps. A square is one stamp, {window}"
    return described(fig, f"{alt} by {window}; a dashed one leaves out {padding} at each edge.")
