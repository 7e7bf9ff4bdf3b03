"""Settings are the report's by default, and refuse what can't be."""

import math

import pytest

from gencomp_utils.settings import ClassifierConfig, DCGANConfig, VAEConfig


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (VAEConfig, "latent_dim", 0),
        (VAEConfig, "latent_dim", 2.0),
        (VAEConfig, "epochs", 0),
        (VAEConfig, "batch_size", -1),
        (VAEConfig, "borrowed", -1),
        (VAEConfig, "seed", -1),
        (VAEConfig, "beta", -0.1),
        (VAEConfig, "beta", math.nan),
        (VAEConfig, "learning_rate", 0.0),
        (VAEConfig, "learning_rate", math.inf),
        (VAEConfig, "rho", 1.0),
        (DCGANConfig, "batch_size", 1),
        (DCGANConfig, "k", 0),
        (DCGANConfig, "learning_rate", math.nan),
        (DCGANConfig, "beta1", 1.0),
        (DCGANConfig, "weight_std", 0.0),
        (ClassifierConfig, "batch_size", 1),
        (ClassifierConfig, "learning_rate", -1.0),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name_and_value(kind, name, value):
    with pytest.raises(ValueError, match=rf"{name} is {value!r}, but must"):
        kind(**{name: value})


def test_the_defaults_are_the_reports_settings():
    vae, dcgan = VAEConfig(), DCGANConfig()
    assert (vae.learning_rate, vae.rho, vae.epochs) == (1e-3, 0.9, 7)
    assert (vae.latent_dim, vae.beta) == (2, 1.0)
    assert (dcgan.learning_rate, dcgan.beta1) == (2e-4, 0.5)
    assert (dcgan.batch_size, dcgan.epochs, dcgan.weight_std) == (100, 20, 0.02)
