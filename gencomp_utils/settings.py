"""What defines an experiment: the settings of each training, checked."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class VAEConfig:
    """What defines a VAE experiment; the defaults are the report's (§5.2).

    The report prints a batch size of 65000, which its log shows to be the number of examples;
    32 is the default of the library that it used.

    Parameters
    ----------
    latent_dim : int
        Number of code dimensions.
    beta : float
        Weight of the KL term of (7); 1 for the evidence lower bound.
    epochs : int
        Passes over the training images.
    batch_size : int
        Images in a step.
    learning_rate : float
        RMSprop's step size, ρ in the report's (8).
    rho : float
        Decay of RMSprop's running square, the report's "rho" in §5.2.
    anneal : bool
        Lower the learning rate to 0 along a half cosine, step by step.
    borrowed : int
        Test images, from the first on, that are trained on too. The report trains on 65,000 of
        the 70,000 images: if in the files' order, it borrows 5,000.
    seed : int
        Seed of weights, shuffles and noise.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    Examples
    --------
    >>> VAEConfig(beta=0.5).beta
    0.5
    """

    latent_dim: int = 2
    beta: float = 1.0
    epochs: int = 7
    batch_size: int = 32
    learning_rate: float = 1e-3
    rho: float = 0.9
    anneal: bool = False
    borrowed: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        _check_integers(
            self, {"latent_dim": 1, "epochs": 1, "batch_size": 1, "borrowed": 0, "seed": 0}
        )
        if not 0 <= self.beta < math.inf:
            raise ValueError(f"beta is {self.beta!r}, but must be a number from 0 up")
        _check_learning_rate(self.learning_rate)
        _check_decay("rho", self.rho)


@dataclass(frozen=True)
class DCGANConfig:
    """What defines a DCGAN experiment; the defaults are the report's (§5.1).

    Parameters
    ----------
    latent_dim : int
        Number of noise coordinates.
    epochs : int
        Passes over the training images.
    batch_size : int
        Images in a step.
    learning_rate : float
        Adam's step size, for both players.
    beta1 : float
        Decay of Adam's running mean; that of its running square is 0.999.
    k : int
        Discriminator steps for each generator step, as in Algorithm 1.
    saturating : bool
        Whether the generator lessens ``log(1 − D(G(z)))``, as Algorithm 1 has it, and not
        ``−log D(G(z))``.
    batch_norm : bool
        Whether hidden layers are normalised.
    weight_std : float or None
        Standard deviation of the initial weights; None for Glorot's choice.
    anneal : bool
        Lower the learning rates to 0 along a half cosine, step by step.
    seed : int
        Seed of weights, shuffles and noise.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    Examples
    --------
    >>> DCGANConfig(k=5).k
    5
    """

    latent_dim: int = 100
    epochs: int = 20
    batch_size: int = 100
    learning_rate: float = 2e-4
    beta1: float = 0.5
    k: int = 1
    saturating: bool = False
    batch_norm: bool = True
    weight_std: float | None = 0.02
    anneal: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        # Batch normalisation needs two images or more.
        least = {"latent_dim": 1, "epochs": 1, "batch_size": 2, "k": 1, "seed": 0}
        _check_integers(self, least)
        _check_learning_rate(self.learning_rate)
        _check_decay("beta1", self.beta1)
        if self.weight_std is not None and not 0 < self.weight_std < math.inf:
            raise ValueError(f"weight_std is {self.weight_std!r}, but must be positive or None")


@dataclass(frozen=True)
class ClassifierConfig:
    """What defines the classifier in whose features samples are compared.

    Parameters
    ----------
    epochs : int
        Passes over the training images, each time slightly turned, scaled, shifted and blurred.
    batch_size : int
        Images in a step.
    learning_rate : float
        AdamW's first step size; it falls to 0 along a half cosine.
    seed : int
        Seed of weights, shuffles and distortions.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    Examples
    --------
    >>> ClassifierConfig(seed=1).seed
    1
    """

    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 4e-3
    seed: int = 0

    def __post_init__(self) -> None:
        _check_integers(self, {"epochs": 1, "batch_size": 2, "seed": 0})
        _check_learning_rate(self.learning_rate)


Config = VAEConfig | DCGANConfig | ClassifierConfig


def _check_integers(config: Config, least: Mapping[str, int]) -> None:
    for name, smallest in least.items():
        value = getattr(config, name)
        if not isinstance(value, int) or value < smallest:
            raise ValueError(f"{name} is {value!r}, but must be an integer from {smallest} up")


def _check_learning_rate(value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"learning_rate is {value!r}, but must be positive")


def _check_decay(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{name} is {value!r}, but must be from 0 up and below 1")
