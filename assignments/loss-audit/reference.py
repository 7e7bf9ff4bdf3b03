"""Reference of loss-audit: never released, never beside a submission."""

import math

import numpy as np
import torch


def implied_beta(loss_fn, pixels=784, latent=20):
    generator = torch.Generator().manual_seed(0)

    def normal(rows, columns):
        return torch.randn(rows, columns, generator=generator, dtype=torch.float64)

    rows = []
    for trial in range(24):
        size = 0.2 + trial % 4 / 2
        logits, mean, log_var = (size * normal(4, n) for n in (pixels, latent, latent))
        x = torch.rand(4, pixels, generator=generator, dtype=torch.float64)
        cost = torch.nn.functional.softplus(logits) - x * logits
        kl = (mean**2 + log_var.exp() - 1 - log_var) / 2
        terms = cost.sum(1).mean(), kl.sum(1).mean(), torch.ones(())
        rows.append([float(term) for term in (*terms, loss_fn(logits, x, mean, log_var))])
    table = np.array(rows)
    scale = np.abs(table[:, :3]).max(axis=0)
    found = np.linalg.lstsq(table[:, :3] / scale, table[:, 3], rcond=None)[0]
    left = table[:, 3] - table[:, :3] / scale @ found
    parts = np.abs(found[:2])
    if np.abs(left).max() > 1e-6 * parts.max() or parts[0] < 1e-12:
        return math.nan
    return float(found[1] / scale[1] / (found[0] / scale[0]))
