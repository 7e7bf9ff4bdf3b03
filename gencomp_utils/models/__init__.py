"""The models, one file each; a new one is a file and a line in ``MODELS``."""

from typing import Any

from gencomp_utils.models.base import Model, State, as_signed, as_unit, descend, split, stream
from gencomp_utils.models.classifier import (
    Classifier,
    ClassifierConfig,
    accuracy,
    features,
    probabilities,
)
from gencomp_utils.models.cvae import CVAE, CVAEConfig
from gencomp_utils.models.dcgan import DCGANConfig, DCGANDiscriminator, DCGANGenerator
from gencomp_utils.models.game import (
    GAN,
    algorithm_1,
    at_rest,
    discriminator_loss,
    discriminator_step,
    non_saturating_loss,
    saturating_loss,
)
from gencomp_utils.models.grey_vae import GreyVAEConfig
from gencomp_utils.models.toys import fully_connected
from gencomp_utils.models.vae import (
    VAE,
    VAEConfig,
    bernoulli_cross_entropy,
    decode,
    encode,
    kl_to_standard_normal,
    reparameterize,
    vae_loss,
)
from gencomp_utils.models.vaegan import VAEGAN, VAEGANConfig

MODELS: dict[str, type[Model[Any]]] = {
    "vae": VAEConfig,
    "dcgan": DCGANConfig,
    "classifier": ClassifierConfig,
    "vaegan": VAEGANConfig,
    "grey_vae": GreyVAEConfig,
    "cvae": CVAEConfig,
}
