"""Record the runs that ship with the book: those of the list below that are missing.

Each goes on from its last finished epoch when it was interrupted. Progress is kept in
_build/training until a run is finished and measured.
"""

from dataclasses import replace
from pathlib import Path

import torch

from gencomp_utils import evaluation, runs
from gencomp_utils.data import Digits, load_mnist
from gencomp_utils.training import VAEConfig, stream

CONFIGS = [VAEConfig()]
WORK = Path(__file__).parent.parent / "_build" / "training"
GRID = 601


def measure(run: runs.Run, digits: Digits) -> dict[str, float]:
    """Measure the bound on the test images, and log p(x) beside it where a grid can."""
    vae, images = run.vae(), torch.tensor(digits.test_images)
    bound = evaluation.elbo(vae, images, stream(run.config.seed, "evaluation"), draws=20)
    metrics = {"test_elbo": bound.mean().item(), "test_elbo_draws": 20}
    if run.config.latent_dim == 2:
        evidence = evaluation.log_evidence_grid(vae, images, GRID)
        coarser = evaluation.log_evidence_grid(vae, images, GRID * 2 // 3)
        metrics |= {
            "test_log_evidence": evidence.mean().item(),
            "test_log_evidence_grid": GRID,
            "test_log_evidence_coarser_grid": coarser.mean().item(),
        }
    return metrics


def main() -> None:
    digits = load_mnist()
    for config in CONFIGS:
        target = runs.RECORDED / runs.name(config)
        if target.exists():
            print(f"{runs.name(config)} is recorded.")
            continue
        run = runs.train(config, digits, WORK / runs.name(config))
        run = replace(run, metrics=measure(run, digits))
        runs.save(run, target)
        print(f"{runs.name(config)} recorded: {run.metrics}")


if __name__ == "__main__":
    main()
