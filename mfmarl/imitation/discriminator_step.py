"""One gradient step of a discriminator, with the stabilisers that are set."""

from __future__ import annotations

import math

import torch

from mfmarl.errors import TrainingFailed
from mfmarl.imitation.adversarial_config import AdversarialConfig
from mfmarl.imitation.discriminator import Discriminator, discriminator_loss, gradient_penalty
from mfmarl.imitation.steps import Steps


def discriminator_step(
    discriminator: Discriminator,
    optimiser: torch.optim.Optimizer,
    policy: Steps,
    expert: Steps,
    config: AdversarialConfig,
    generator: torch.Generator,
) -> dict[str, float]:
    """On as many steps of each side, which are not checked; figures from before the step, in nats and shares."""
    with torch.no_grad():
        own, theirs = discriminator.rows(policy), discriminator.rows(expert)
    discriminator.train()
    logit = discriminator.logit(torch.cat([theirs, own]), expert.beside(policy))
    of_expert, of_policy = logit[: len(expert)], logit[len(expert) :]
    loss = told = discriminator_loss(of_expert, of_policy, config.label_noise)
    figures = {
        "cross_entropy": told,
        "expert_accuracy": (of_expert > 0).float().mean(),
        "policy_accuracy": (of_policy < 0).float().mean(),
    }
    if config.gradient_penalty:
        figures["gradient_penalty"] = gradient_penalty(discriminator, theirs, own, generator, discriminator.flags)
        loss = loss + config.gradient_penalty * figures["gradient_penalty"]
    if not math.isfinite(loss.item()):
        raise TrainingFailed(
            f"the discriminator's loss is {loss.item()}; its step was not taken: lower discriminator_lr"
        )
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    discriminator.eval()
    return {"discriminator_loss": float(loss.detach()), **{k: float(v.detach()) for k, v in figures.items()}}
