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
        _initialise(self, generator)

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


class DCGANGenerator(nn.Module):
    """The generator of a DCGAN for 28 by 28 images: noise becomes an image in three doublings.

    No pooling and no hidden full layer: the noise is projected to a 4 by 4 image of many channels,
    which fractionally strided convolutions enlarge to 7, 14 and 28 pixels a side. Batch
    normalisation after every layer but the last, ReLU, and tanh at the output.

    Parameters
    ----------
    latent_dim : int
        Number of noise coordinates.
    generator : torch.Generator
        Source of the initial weights, on the CPU; the global generator is left alone.
    batch_norm : bool
        Without it each layer has a bias instead.
    weight_std : float or None
        Standard deviation of the initial weights, whose mean is 0; None for Glorot's choice.

    Raises
    ------
    ValueError
        If `latent_dim` isn't positive.

    Notes
    -----
    Source: Radford, Metz and Chintala (2016), arXiv:1511.06434, for a smaller image.

    Examples
    --------
    >>> network = DCGANGenerator(100, torch.Generator().manual_seed(0))
    >>> network(torch.zeros(5, 100)).shape
    torch.Size([5, 1, 28, 28])
    """

    def __init__(
        self,
        latent_dim: int,
        generator: torch.Generator,
        batch_norm: bool = True,
        weight_std: float | None = 0.02,
    ) -> None:
        if latent_dim < 1:
            raise ValueError(f"latent_dim is {latent_dim}, but must be at least 1")
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # layers draw weights that are replaced below
            self.layers = nn.Sequential(
                nn.Unflatten(1, (latent_dim, 1, 1)),
                nn.ConvTranspose2d(latent_dim, 256, 4, bias=not batch_norm),  # 256 × 4 × 4
                _normalised(256, batch_norm),
                nn.ReLU(),
                nn.ConvTranspose2d(256, 96, 3, stride=2, padding=1, bias=not batch_norm),
                _normalised(96, batch_norm),  # 96 × 7 × 7
                nn.ReLU(),
                nn.ConvTranspose2d(96, 48, 4, stride=2, padding=1, bias=not batch_norm),
                _normalised(48, batch_norm),  # 48 × 14 × 14
                nn.ReLU(),
                nn.ConvTranspose2d(48, 1, 4, stride=2, padding=1),  # 1 × 28 × 28
                nn.Tanh(),
            )
        self.latent_dim = latent_dim
        _initialise(self, generator, weight_std)

    def forward(self, z: Tensor) -> Tensor:
        """Turn noise into images.

        Parameters
        ----------
        z : Tensor, shape (n, latent_dim)

        Returns
        -------
        Tensor, shape (n, 1, 28, 28)
            Pixels in [−1, 1].
        """
        images: Tensor = self.layers(z)
        return images


class DCGANDiscriminator(nn.Module):
    """The discriminator of a DCGAN for 28 by 28 images: three halvings, then one number.

    No pooling and no hidden full layer: strided convolutions shrink the image. Batch normalisation
    but at the input, LeakyReLU with slope 0.2 for negative values, and a logit at the end.

    Parameters
    ----------
    generator : torch.Generator
        Source of the initial weights, on the CPU; the global generator is left alone.
    batch_norm : bool
        Without it each layer has a bias instead.
    weight_std : float or None
        Standard deviation of the initial weights, whose mean is 0; None for Glorot's choice.

    Notes
    -----
    Source: Radford, Metz and Chintala (2016), arXiv:1511.06434, for a smaller image.

    Examples
    --------
    >>> network = DCGANDiscriminator(torch.Generator().manual_seed(0))
    >>> network(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        generator: torch.Generator,
        batch_norm: bool = True,
        weight_std: float | None = 0.02,
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # layers draw weights that are replaced below
            self.layers = nn.Sequential(
                nn.Conv2d(1, 48, 4, stride=2, padding=1),  # 48 × 14 × 14
                nn.LeakyReLU(0.2),
                nn.Conv2d(48, 96, 4, stride=2, padding=1, bias=not batch_norm),  # 96 × 7 × 7
                _normalised(96, batch_norm),
                nn.LeakyReLU(0.2),
                nn.Conv2d(96, 192, 3, stride=2, padding=1, bias=not batch_norm),  # 192 × 4 × 4
                _normalised(192, batch_norm),
                nn.LeakyReLU(0.2),
                nn.Flatten(),
                nn.Linear(192 * 4 * 4, 1),
            )
        _initialise(self, generator, weight_std)

    def forward(self, x: Tensor) -> Tensor:
        """Give the logit that images are real.

        Parameters
        ----------
        x : Tensor, shape (n, 1, 28, 28)
            Pixels in [−1, 1].

        Returns
        -------
        Tensor, shape (n, 1)
        """
        logits: Tensor = self.layers(x)
        return logits


def _normalised(channels: int, batch_norm: bool) -> nn.Module:
    return nn.BatchNorm2d(channels) if batch_norm else nn.Identity()


class Classifier(nn.Module):
    """A convolutional classifier of digits, whose last hidden layer serves as features.

    Parameters
    ----------
    generator : torch.Generator
        Source of the initial weights, on the CPU; the global generator is left alone.

    Examples
    --------
    >>> classifier = Classifier(torch.Generator().manual_seed(0)).eval()
    >>> classifier.features(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 64])
    >>> classifier(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 10])
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # layers draw weights that are replaced below
            self.hidden = nn.Sequential(
                *_normalised_convolution(1, 32),
                *_normalised_convolution(32, 32, stride=2),  # 32 × 14 × 14
                *_normalised_convolution(32, 64),
                *_normalised_convolution(64, 64, stride=2),  # 64 × 7 × 7
                *_normalised_convolution(64, 64),
                nn.Conv2d(64, 64, kernel_size=7, groups=64, bias=False),  # a weighted mean each
                nn.Flatten(),
                nn.BatchNorm1d(64),
                nn.ReLU(),
            )
            self.answer = nn.Linear(64, 10)
        _initialise(self, generator)

    def features(self, x: Tensor) -> Tensor:
        """Give what the last hidden layer sees in images.

        Parameters
        ----------
        x : Tensor, shape (n, 1, 28, 28)
            Images in [0, 1].

        Returns
        -------
        Tensor, shape (n, 64)
        """
        seen: Tensor = self.hidden(x)
        return seen

    def forward(self, x: Tensor) -> Tensor:
        """Give the logits of the ten digits.

        Parameters
        ----------
        x : Tensor, shape (n, 1, 28, 28)
            Images in [0, 1].

        Returns
        -------
        Tensor, shape (n, 10)
        """
        logits: Tensor = self.answer(self.features(x))
        return logits


def _normalised_convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


def fully_connected(widths: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Make a small fully connected network that is smooth in its input.

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
    _initialise(network, generator)
    return network


def _initialise(network: nn.Module, generator: torch.Generator, std: float | None = None) -> None:
    """Draw weights by Glorot's choice, or from N(0, std²) with normalisers' scales from N(1, std²).

    Biases become zero.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            if std is None:
                nn.init.xavier_uniform_(layer.weight, generator=generator)
            else:
                nn.init.normal_(layer.weight, 0.0, std, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d) and std is not None:
            nn.init.normal_(layer.weight, 1.0, std, generator=generator)
