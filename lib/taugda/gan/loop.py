"""A whole training run: updates, evaluation, checkpoints, progress; it can be stopped anywhere."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from taugda.checks import count
from taugda.gan.checkpoints import Checkpoints
from taugda.gan.configuration import arithmetic
from taugda.gan.data import Batches
from taugda.gan.distances import Scorer, quantize
from taugda.gan.update import Losses, Trainer

# On a GPU, looking at the losses makes it wait; so they are looked at once in so many updates.
_GPU_CHECKS_EVERY = 100
_SHOWN = 64  # pictures that are kept at a time


@dataclass
class _Sums:
    """Losses summed since the last evaluation, on the device."""

    total: Tensor | None = None
    updates: int = 0


@dataclass
class History:
    """What a training run left along its way."""

    update: list[int] = field(default_factory=list)  # updates done at each evaluation
    # By the score's name and the average's beta, one value an evaluation.
    scores: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    losses: dict[str, list[float]] = field(default_factory=dict)  # means between evaluations
    # From the same first latent vectors, in eight bits, by updates done.
    pictures: dict[int, Tensor] = field(default_factory=dict)
    seconds: float = 0.0  # spent on updates alone, over all sessions of the run
    resumed: list[int] = field(default_factory=list)  # updates done when it was taken up again

    def plain(self) -> dict[str, Any]:
        """Return ``update``, ``scores`` and ``losses``: all but the machine's speed."""
        return {"update": self.update, "scores": self.scores, "losses": self.losses}


@dataclass(frozen=True)
class Evaluation:
    """How a run is looked at.

    Parameters
    ----------
    scorer : Scorer
        The distance.
    latents : Tensor, shape (n, latent)
        The fixed latent vectors that every evaluation uses.
    every, also_at : int, sequence of int
        Updates between two evaluations, and further updates to evaluate at; the last is one.
    pictures_at : sequence of int
        Updates at which pictures from the first latent vectors are kept; the last is one.
    """

    scorer: Scorer
    latents: Tensor
    every: int
    also_at: Sequence[int] = ()
    pictures_at: Sequence[int] = ()

    def __post_init__(self) -> None:
        count("every", self.every)
        for update in (*self.also_at, *self.pictures_at):
            count("also_at, pictures_at", update, least=0)

    def due(self, update: int, last: int) -> bool:
        """Say whether scores are wanted after an update."""
        return update % self.every == 0 or update in self.also_at or update == last


def train(
    trainer: Trainer,
    batches: Batches,
    evaluation: Evaluation,
    checkpoints: Checkpoints,
    checkpoint_every: int,
    progress: bool = True,
) -> History:
    """Train to the end, from the last checkpoint where there is one.

    Parameters
    ----------
    trainer, batches : Trainer, Batches
        The players and the real pictures, fresh.
    evaluation : Evaluation
        What is measured along the way.
    checkpoints, checkpoint_every : Checkpoints, int
        Where the run's state is kept, and updates between two.
    progress : bool
        Whether to show a bar with losses, rates, updates per second and time left.

    Returns
    -------
    History
        The record.  On a CPU it does not depend on how often the run was stopped, its
        ``seconds`` and ``resumed`` apart.

    Raises
    ------
    DivergedError, CheckpointError
        If a loss or a parameter is not finite; if a checkpoint cannot be written.
    """
    from tqdm import tqdm

    count("checkpoint_every", checkpoint_every)
    c = trainer.configuration
    history, sums = History(), _Sums()
    state = checkpoints.newest()
    for name in checkpoints.damaged:
        print(f"{name} is damaged: passed over")
    if state is not None:
        trainer.load_state_dict(state["trainer"])
        batches.load_state_dict(state["batches"])
        history, sums = History(**state["history"]), _Sums(**state["sums"])
        history.resumed.append(trainer.updates)
        print(f"Resumed after {trainer.updates:,} updates")
    look_every = _GPU_CHECKS_EVERY if trainer.device.type == "cuda" else 1
    with (
        arithmetic(c.precision),
        tqdm(total=c.updates, initial=trainer.updates, unit="update", disable=not progress,
             leave=False, mininterval=1.0) as bar,
    ):  # fmt: skip
        if trainer.updates == 0:
            _evaluate(trainer, evaluation, history, sums)
        while trainer.updates < c.updates:
            started = time.perf_counter()
            losses = trainer.update(next(batches), trainer.draw(), trainer.draw())
            k = trainer.updates
            due, keep = evaluation.due(k, c.updates), k % checkpoint_every == 0 or k == c.updates
            if due or keep or k % look_every == 0:
                trainer.check(losses)
                words = "losses {:.3f} {:.3f} penalty {:.3g} rates {:.2e} {:.2e}"
                bar.set_postfix_str(words.format(*losses, *c.rates(k - 1)), refresh=False)
            values = torch.stack(losses).double()
            sums.total = values if sums.total is None else sums.total.to(values.device) + values
            sums.updates += 1
            history.seconds += time.perf_counter() - started
            _evaluate(trainer, evaluation, history, sums)
            if keep:
                state = {"trainer": trainer.state_dict(), "batches": batches.state_dict()}
                checkpoints.save(k, state | {"history": vars(history), "sums": vars(sums)})
            bar.update()
    return history


def _evaluate(trainer: Trainer, evaluation: Evaluation, history: History, sums: _Sums) -> None:
    k, c = trainer.updates, trainer.configuration
    if k in evaluation.pictures_at or k == c.updates:
        history.pictures[k] = quantize(
            trainer.samples(c.averages[0], evaluation.latents[:_SHOWN])
        ).cpu()
    if not evaluation.due(k, c.updates):
        return
    history.update.append(k)
    for beta in c.averages:
        scores = evaluation.scorer.score(trainer.samples(beta, evaluation.latents))
        for name, value in scores.items():
            history.scores.setdefault(name, {}).setdefault(f"{beta}", []).append(value)
    if sums.total is not None:  # the evaluation at the start has no losses before it
        means = (sums.total / sums.updates).tolist()
        for name, mean in zip(Losses._fields, means, strict=True):
            history.losses.setdefault(name, []).append(mean)
        sums.total, sums.updates = None, 0
