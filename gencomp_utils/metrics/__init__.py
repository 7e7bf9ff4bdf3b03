"""What is measured of a model: bounds on log p(x), and its samples beside real images."""

from gencomp_utils.metrics.bounds import elbo, importance_weighted, log_evidence_grid
from gencomp_utils.metrics.codes import invert, squared_error
from gencomp_utils.metrics.samples import (
    Reference,
    copy_limits,
    frechet_distance,
    nearest,
    nearest_up_to_shift,
    precision_recall,
    sharpness,
)
from gencomp_utils.metrics.two_samples import (
    density_coverage,
    kernel_distance,
    parzen_log_density,
    two_sample_bound,
)
