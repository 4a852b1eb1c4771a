"""A whole training run: updates, evaluation, checkpoints, progress; it can be stopped anywhere."""

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from taugda.checks import count
from taugda.gan.checkpoints import newest, save
from taugda.gan.configuration import Configuration, arithmetic
from taugda.gan.data import Batches, Images
from taugda.gan.distances import Scorer, quantize
from taugda.gan.update import DivergedError, Losses, Trainer

_CHECKS_EVERY = 100  # updates; looking at the losses makes a GPU wait
_SHOWN = 64  # pictures that are kept at a time


@dataclass
class History:
    """What a training run left along its way."""

    update: list[int] = field(default_factory=list)  # updates done at each evaluation
    # By the score's name and the average's beta, one value an evaluation.
    scores: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    losses: dict[str, list[float]] = field(default_factory=dict)  # means between evaluations
    # From the same first latent vectors, in eight bits, by updates done.
    pictures: dict[int, Tensor] = field(default_factory=dict)
    # Spent on updates alone, over all sessions of the run; of GANs side by side each has its share.
    seconds: float = 0.0
    spectra: dict[int, dict[str, Any]] = field(default_factory=dict)  # by updates done
    resumed: list[int] = field(default_factory=list)  # updates done when it was taken up again
    together: int = 1  # GANs that were trained side by side
    diverged: str = ""  # what was not finite any more, and when

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
    spectrum_at : sequence of int
        Updates after which the game's leading eigenvalues are taken on the update's own batch.
    """

    scorer: Scorer
    latents: Tensor
    every: int
    also_at: Sequence[int] = ()
    pictures_at: Sequence[int] = ()
    spectrum_at: Sequence[int] = ()

    def __post_init__(self) -> None:
        count("every", self.every)
        for update in (*self.also_at, *self.pictures_at):
            count("also_at, pictures_at", update, least=0)
        for update in self.spectrum_at:  # RMSprop has a spectrum of its own after one update
            count("spectrum_at", update)

    def due(self, update: int, last: int) -> bool:
        """Say whether scores are wanted after an update."""
        return update % self.every == 0 or update in self.also_at or update == last


def train(
    configuration: Configuration, images: Images, evaluation: Evaluation, checkpoints: Path,
    checkpoint_every: int, beside: Iterable[tuple[Mapping[str, Any], Path]] = (),
) -> History:  # fmt: skip
    """Train a GAN to its end, from its last checkpoint where there is one, and show a bar.

    Parameters
    ----------
    configuration : Configuration
        The settings.
    images : Images
        The real pictures.
    evaluation : Evaluation
        What is measured along the way.
    checkpoints, checkpoint_every : Path, int
        The folder where the run's state is kept, and updates between two.
    beside : iterable of (mapping, Path)
        Further GANs that may as well be trained side by side with this one: what differs (tau, mu,
        seed) and the folder of their checkpoints, where each is left as if it had been trained
        alone, for its own call of this function.

    Returns
    -------
    History
        The record.  On a CPU it does not depend on how often the run was stopped, its
        ``seconds`` and ``resumed`` apart, as long as the same GANs stand beside it; with others
        it is the same to rounding.

    Raises
    ------
    DivergedError, CheckpointError
        If a loss or a parameter is not finite; if a checkpoint cannot be written.
    """
    count("checkpoint_every", checkpoint_every)
    c, folders = configuration, [checkpoints]
    states, everyone = newest(folders), [c]
    if states is None or states[0]["trainer"]["updates"] < c.updates:
        for changes, folder in beside:
            with suppress(ValueError):  # a run of its own will say what does not fit
                everyone.append(replace(c, **changes))
                folders.append(folder)
        states = newest(folders)
    trainer = Trainer(*everyone)
    batches = [
        Batches(images, c.batch, seed=each.seed, device=c.device, flip=c.flip, noise=c.noise,
                dtype=c.dtype)
        for each in everyone
    ]  # fmt: skip
    histories = [History(together=len(everyone)) for _ in everyone]
    # Losses summed since the last evaluation, and of how many updates.
    sums, summed = torch.zeros(len(Losses._fields), len(everyone), dtype=torch.float64), 0
    if states is not None:
        trainer.load_state_dicts([state["trainer"] for state in states])
        for stream, state in zip(batches, states, strict=True):
            stream.load_state_dict(state["batches"])
        histories = [History(**state["history"]) for state in states]
        sums, summed = torch.stack([state["sums"] for state in states], 1), states[0]["summed"]
        if trainer.updates < c.updates:
            for history in histories:
                history.resumed.append(trainer.updates)
            print(f"Resumed after {trainer.updates:,} updates")
    sums = sums.to(trainer.device)
    with (
        arithmetic(c.precision),
        tqdm(total=c.updates, initial=trainer.updates, unit="update", leave=False,
             mininterval=1.0, file=sys.stdout) as bar,
    ):  # fmt: skip
        if trainer.updates == 0:
            _evaluate(trainer, evaluation, histories)
        while trainer.updates < c.updates:
            started = time.perf_counter()
            real = torch.cat([next(stream) for stream in batches], 1)
            z2, z1 = trainer.draw(), trainer.draw()
            losses = trainer.update(real, z2, z1)
            k = trainer.updates
            due, keep = evaluation.due(k, c.updates), k % checkpoint_every == 0 or k == c.updates
            if due or keep or k % _CHECKS_EVERY == 0:
                _check(trainer, losses, histories)
                words = "losses {:.3f} {:.3f} penalty {:.3g} rate {:.2e}"
                first = (loss[0].item() for loss in losses)
                bar.set_postfix_str(words.format(*first, c.rate(k - 1)), refresh=False)
            sums += torch.stack(losses)
            summed += 1
            for history in histories:
                history.seconds += (time.perf_counter() - started) / len(histories)
            _evaluate(trainer, evaluation, histories)
            if k in evaluation.spectrum_at:
                _spectra(trainer, real, z1, histories)
            if due:
                for history, means in zip(histories, (sums / summed).T.tolist(), strict=True):
                    for name, mean in zip(Losses._fields, means, strict=True):
                        history.losses.setdefault(name, []).append(mean)
                sums, summed = torch.zeros_like(sums), 0
            if keep:
                parts = zip(folders, trainer.state_dicts(), batches, histories, sums.T, strict=True)
                for folder, state, stream, history, part in parts:
                    save(folder, k, {
                        "trainer": state, "batches": stream.state_dict(),
                        "history": vars(history), "sums": part.clone(), "summed": summed,
                    })  # fmt: skip
            bar.update()
    if histories[0].diverged:
        raise DivergedError(histories[0].diverged)
    return histories[0]


def _check(trainer: Trainer, losses: Losses, histories: Sequence[History]) -> None:
    """Note which GANs are not finite any more; if none is, there is nothing to go on with."""
    found = zip(histories, trainer.configurations, trainer.finite(losses), strict=True)
    for history, c, what in found:
        if what and not history.diverged:
            history.diverged = (
                f"update {trainer.updates}: the {what} not finite any more at "
                f"tau = {c.tau:g}, gamma1 = {c.gamma1:g}, mu = {c.mu:g}; try a smaller gamma1, a "
                "smaller tau, or a larger mu"
            )
    if all(history.diverged for history in histories):
        raise DivergedError(histories[0].diverged)


def _evaluate(trainer: Trainer, evaluation: Evaluation, histories: Sequence[History]) -> None:
    k, c = trainer.updates, trainer.configuration
    going = [(number, h) for number, h in enumerate(histories) if not h.diverged]
    if k in evaluation.pictures_at or k == c.updates:
        shown = trainer.samples(c.averages[0], evaluation.latents[:_SHOWN])
        for number, history in going:
            history.pictures[k] = quantize(shown[number]).cpu()
    if evaluation.due(k, c.updates):
        for _, history in going:
            history.update.append(k)
        for beta in c.averages:
            made = trainer.samples(beta, evaluation.latents)
            for number, history in going:
                for name, value in evaluation.scorer.score(made[number]).items():
                    history.scores.setdefault(name, {}).setdefault(f"{beta}", []).append(value)


def _spectra(trainer: Trainer, real: Tensor, z: Tensor, histories: Sequence[History]) -> None:
    from taugda.gan.spectrum import spectrum  # SciPy, which most runs do without

    batches = zip(*(batch.chunk(len(histories), 1) for batch in (real, z)), strict=True)
    for number, batch in enumerate(batches):
        if not histories[number].diverged:
            started, c = time.perf_counter(), trainer.configurations[number]
            found = spectrum(c, *trainer.alone(number), *batch, updates=trainer.updates)
            found["seconds"] = time.perf_counter() - started
            histories[number].spectra[trainer.updates] = found
