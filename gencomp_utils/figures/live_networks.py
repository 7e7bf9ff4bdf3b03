"""Posters of the figures that ask the recorded networks: what is seen where no script runs."""

import numpy as np
from matplotlib.figure import Figure

from gencomp_utils.figures import shared


def explorer(
    image: np.ndarray,
    decoded: np.ndarray,
    mean: np.ndarray,
    sigma: np.ndarray,
    codes: np.ndarray,
    labels: np.ndarray,
) -> Figure:
    """Draw an image, q(z|x) on the map of codes and close by, and the image decoded from its mean.

    Images have shape (28, 28), `mean` and `sigma` shape (2,), `codes` shape (n, 2).
    """
    fig, axes = shared.new(5.5, 2.2, columns=4, width_ratios=(1, 2.4, 1, 1))
    first, plane, close, last = axes
    shared.show_images(first, image[None], rows=1, columns=1)
    shared.show_images(last, decoded[None], rows=1, columns=1)
    for digit, colour in enumerate(shared.DIGITS):
        at = codes[labels == digit].T
        plane.scatter(*at, marker=f"${digit}$", color=colour, s=9, linewidths=0.1)
    angle = np.linspace(0, 2 * np.pi, 100)
    for ax in (plane, close):
        for radius, style in ((1, "-"), (2, "--")):
            around = mean[:, None] + radius * sigma[:, None] * [np.cos(angle), np.sin(angle)]
            ax.plot(*around, style, color=shared.VERMILLION, linewidth=1.5)
    plane.set(xlim=(-4, 4), ylim=(-3.2, 3.2), xlabel="z₁", ylabel="z₂")
    close.set(aspect="equal", xticks=[], yticks=[])
    for ax, title in zip(axes, ("x", "codes", "q(z|x)", "decoded"), strict=True):
        ax.set_title(title, fontsize=12)
    told = f"{mean[0]:.2f}, {mean[1]:.2f}".replace("-", "−")
    return shared.described(
        fig,
        "A seven goes into the encoder, which answers with a small ellipse of codes around "
        f"({told}), at the left of the map; from its middle the decoder makes a smoother seven.",
    )


def generator(images: np.ndarray) -> Figure:
    """Draw digits that a generator made of noise, shape (12, 28, 28)."""
    fig, ax = shared.new(5.5, 1.95)
    shared.show_images(ax, images, rows=2, columns=6)
    return shared.described(fig, "Twelve digits, each made by the DCGAN's generator from noise.")
