"""The neural networks of the book."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class VAE(nn.Module):
    """A convolutional variational autoencoder for 28 by 28 images.

    The encoder halves the image twice and gives the mean and the log-variance of
    ``q(z|x)``; the decoder doubles it twice and gives the logits of the pixels of ``p(x|z)``.

    Weights are drawn from Glorot's uniform distribution and biases are zero. With PyTorch's own
    choice the units before the codes can die early, and the decoder then ignores z.

    Parameters
    ----------
    latent_dim : int
        Number of code dimensions.
    generator : torch.Generator
        Source of the initial weights, on the CPU; the global generator is left alone.

    Raises
    ------
    ValueError
        If `latent_dim` is not positive.

    Notes
    -----
    The model is Kingma and Welling's (2014), with the letters as they have them: the encoder
    has parameters φ, the decoder θ. The report has them the other way round.

    Examples
    --------
    >>> vae = VAE(latent_dim=2, generator=torch.Generator().manual_seed(0))
    >>> mean, log_variance = vae.encode(torch.zeros(5, 1, 28, 28))
    >>> vae.decode(mean).shape
    torch.Size([5, 1, 28, 28])
    """

    def __init__(self, latent_dim: int, generator: torch.Generator) -> None:
        if latent_dim < 1:
            raise ValueError(f"latent_dim is {latent_dim}, but must be at least 1")
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # layers draw weights that are replaced below
            self.encoder = nn.Sequential(
                nn.Conv2d(1, 16, kernel_size=4, stride=2, padding=1),  # 16 × 14 × 14
                nn.ReLU(),
                nn.Conv2d(16, 32, kernel_size=4, stride=2, padding=1),  # 32 × 7 × 7
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(32 * 7 * 7, 128),
                nn.ReLU(),
                nn.Linear(128, 2 * latent_dim),  # mean and log-variance
            )
            self.decoder = nn.Sequential(
                nn.Linear(latent_dim, 128),
                nn.ReLU(),
                nn.Linear(128, 128),
                nn.ReLU(),
                nn.Linear(128, 32 * 7 * 7),
                nn.ReLU(),
                nn.Unflatten(1, (32, 7, 7)),
                nn.ConvTranspose2d(32, 16, kernel_size=4, stride=2, padding=1),  # 16 × 14 × 14
                nn.ReLU(),
                nn.ConvTranspose2d(16, 1, kernel_size=4, stride=2, padding=1),  # 1 × 28 × 28
            )
        self.latent_dim = latent_dim
        _glorot(self, generator)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give the mean and the log-variance of ``q(z|x)``.

        Parameters
        ----------
        x : Tensor, shape (n, 1, 28, 28)
            Images in [0, 1].

        Returns
        -------
        mean, log_variance : Tensor, shape (n, latent_dim)
        """
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor) -> Tensor:
        """Give the logits of the pixels of ``p(x|z)``; their sigmoid is the mean image.

        Parameters
        ----------
        z : Tensor, shape (n, latent_dim)

        Returns
        -------
        Tensor, shape (n, 1, 28, 28)
        """
        logits: Tensor = self.decoder(z)
        return logits


def fully_connected(widths: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Make a small fully connected network, smooth in its input, for toys in one or two dimensions.

    Parameters
    ----------
    widths : sequence of int
        Numbers of inputs, of units in each hidden layer, and of outputs.
    generator : torch.Generator
        Source of the initial weights (Glorot's uniform), on the CPU; the global generator is left
        alone. Biases are zero.

    Returns
    -------
    torch.nn.Sequential
        Linear layers with hyperbolic tangents between them; from shape (n, widths[0]) to
        (n, widths[-1]).

    Raises
    ------
    ValueError
        If there are fewer than two widths, or one isn't positive.

    Examples
    --------
    >>> network = fully_connected([2, 16, 1], torch.Generator().manual_seed(0))
    >>> network(torch.zeros(5, 2)).shape
    torch.Size([5, 1])
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(
            f"widths is {list(widths)}, but must be two or more positive numbers, such as "
            "[2, 64, 1]"
        )
    layers: list[nn.Module] = []
    with torch.random.fork_rng(devices=[]):  # layers draw weights that are replaced below
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.Tanh()]
    network = nn.Sequential(*layers[:-1])
    _glorot(network, generator)
    return network


def _glorot(network: nn.Module, generator: torch.Generator) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
