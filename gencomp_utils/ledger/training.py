"""How a VAE is trained: the equations (7) and (8)."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.distributions import Bernoulli, Normal
from torch.optim import SGD, Optimizer

from gencomp_utils.distributions import FloatArray
from gencomp_utils.ledger.core import Case, Form, exact, row
from gencomp_utils.metrics.bounds import elbo
from gencomp_utils.models.base import as_unit
from gencomp_utils.models.vae import RMSPROP_EPSILON, VAE, VAEConfig, vae_loss

_PAGE = "mnist/vae.ipynb#"


@row(
    "(7) Loss of a VAE",
    r"\mathcal L = -\mathbb E_{q}[\log p(x \mid z)] + D_{KL}(q(z \mid x) \Vert p(z))"
    r" = -\mathrm{ELBO}",
    page=_PAGE + "the-loss-term-by-term",
    right=vae_loss,
    wrong={
        "KL averaged over dimensions": lambda *at: (vae_loss(*at)[0], vae_loss(*at)[1] / 3),
        "cross-entropy averaged over pixels": lambda *at: (
            vae_loss(*at)[0] / 784,
            vae_loss(*at)[1],
        ),
    },
)
@torch.no_grad()
def _loss(form: Form) -> Iterator[Case]:
    generator = torch.Generator().manual_seed(7)
    images = torch.randint(0, 256, (20, 28, 28), dtype=torch.uint8, generator=generator)
    noise = torch.randn(20, 3, generator=generator)
    vae = VAE(latent_dim=3, generator=generator)
    bound = elbo(vae, images, torch.Generator().manual_seed(8))
    bound_noise = torch.randn(20, 3, generator=torch.Generator().manual_seed(8))
    in_float32 = sum(form(vae, as_unit(images), bound_noise))

    x, noise, vae = as_unit(images).double(), noise.double(), vae.double()
    mean, log_variance = vae.encode(x)
    q = Normal(mean, torch.exp(log_variance / 2))
    pixels = Bernoulli(logits=vae.decode(q.mean + q.stddev * noise), validate_args=False)
    reconstruction, kl = form(vae, x, noise)
    likelihood = pixels.log_prob(x).flatten(1).sum(dim=1)
    divergence = torch.distributions.kl_divergence(q, Normal(0.0, 1.0)).sum(dim=1)
    yield exact("reconstruction by torch.distributions", reconstruction, -likelihood, 1e-10)
    yield exact("KL by torch.distributions", kl, divergence, 1e-10)
    yield exact("minus (13) in float32", in_float32, -bound, 1e-6)


def _steps(
    theta: FloatArray, gradients: FloatArray, optimizer_of: Callable[[nn.Module], Optimizer]
) -> FloatArray:
    weights = nn.Parameter(torch.tensor(theta))
    optimizer = optimizer_of(nn.ParameterList([weights]))
    for gradient in gradients:
        weights.grad = torch.tensor(gradient)
        optimizer.step()
    return np.asarray(weights.detach())


def _steps_by_hand(
    theta: FloatArray, gradients: FloatArray, config: VAEConfig, in_root: bool = False
) -> FloatArray:
    inside, outside = (RMSPROP_EPSILON, 0.0) if in_root else (0.0, RMSPROP_EPSILON)
    square = np.zeros_like(theta)
    for gradient in gradients:
        square = config.rho * square + (1.0 - config.rho) * gradient**2
        theta = theta - config.learning_rate * gradient / (np.sqrt(square + inside) + outside)
    return theta


@row(
    "(8) Gradient step, by RMSprop",
    r"v \leftarrow \rho v + (1 - \rho) g^2,\;"
    r" \theta \leftarrow \theta - \eta\, g / (\sqrt v + \varepsilon)",
    page=_PAGE + "the-step",
    unit="",
    right=lambda theta, g, config: _steps(theta, g, config.optimizer),
    wrong={
        "ε inside the root": partial(_steps_by_hand, in_root=True),
        "decay 0.99": lambda theta, g, config: _steps(
            theta, g, replace(config, rho=0.99).optimizer
        ),
    },
)
def _step(form: Form) -> Iterator[Case]:
    config = VAEConfig()
    rng = np.random.default_rng(8)
    theta = rng.normal(size=6)
    gradients = rng.normal(size=(5, 6)) * 10.0 ** np.arange(-7, -1)
    found = form(theta, gradients, config)
    plain = _steps(theta, gradients, lambda held: SGD(held.parameters(), config.learning_rate))
    descended = theta - config.learning_rate * gradients.sum(axis=0)
    yield exact("RMSprop, 5 steps", found, _steps_by_hand(theta, gradients, config), 1e-7)
    yield exact("plain descent, 5 steps", plain, descended, 1e-7)
