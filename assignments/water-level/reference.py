"""Reference of water-level: never released, never beside a submission."""

import numpy as np


def loss(w, u, log_var, lam, beta, s2):
    variance = np.exp(log_var)
    reconstruction = ((1 - w * u) ** 2 * lam + w**2 * variance) / (2 * s2)
    return float(reconstruction + beta * (u**2 * lam + variance - 1 - log_var) / 2)


def rates(lam, beta, s2):
    above = np.maximum(np.asarray(lam, float) / (beta * s2), 1)
    return np.log(above) / 2


def beta_for(lam, active, s2):
    levels = np.sort(np.asarray(lam, float))[::-1]
    if active == 0:
        return float(2 * levels[0] / s2)
    if active == len(levels):
        return float(levels[-1] / 2 / s2)
    return float(np.sqrt(levels[active - 1] * levels[active]) / s2)
