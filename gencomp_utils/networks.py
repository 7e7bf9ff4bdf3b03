"""The neural networks of the book."""

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


def _glorot(network: nn.Module, generator: torch.Generator) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
