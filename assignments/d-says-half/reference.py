"""Reference of d-says-half: never released, never beside a submission."""

import numpy as np


def jsd_bound(real_logits, fake_logits):
    real, fake = (np.asarray(logits, float) for logits in (real_logits, fake_logits))
    of_real, of_fake = -np.logaddexp(0, -real), -np.logaddexp(0, fake)
    bound = (of_real.mean() + of_fake.mean() + np.log(4)) / 2
    variance = of_real.var(ddof=1) / len(real) + of_fake.var(ddof=1) / len(fake)
    return float(bound), float(np.sqrt(variance) / 2)


def verdict(real_logits, fake_logits):
    bound, error = jsd_bound(real_logits, fake_logits)
    return "different" if bound > 3 * error and bound > 0 else "undecided"


def counterexample(n, seed):
    rng = np.random.default_rng(seed)
    return rng.choice([-2.0, 2.0], n) + 0.1 * rng.standard_normal(n)
