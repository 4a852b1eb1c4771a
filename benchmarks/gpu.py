"""What is asked of a GPU, in minutes: is it right, is it fast, the paper's question, the digits.

    PYTHONPATH=lib python benchmarks/gpu.py --minutes 8 --out FOLDER --data cifar.zip

The data are a zip or a folder of pictures, one folder a class.  Stages share the time; each writes
what it has found, so that a stop loses one of them.  The folder is for ``python -m taugda publish
gpu FOLDER``.  It needs torch, torchvision, NumPy, SciPy, scikit-learn, Matplotlib, PyYAML, tqdm and
filelock, and no network; ``--device cpu --minutes 1`` goes through all of it at toy size.
"""

import argparse
import contextlib
import json
import math
import platform
import statistics
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import study
import torch
from gan_update import Plain
from torch import Tensor
from torch.nn import functional as F

from taugda.atomic import write_atomic
from taugda.gan import data, distances, features, results, studies
from taugda.gan.configuration import Configuration, arithmetic
from taugda.gan.gradients import discriminator_gradient
from taugda.gan.update import Trainer
from taugda.gan.vision import torchvision

TAUS = (1.0, 2.0, 4.0, 8.0)
FLOP = 368e9  # of one update at the paper's sizes, counted from the shapes of its layers
# How far ten updates may be from the CPU's in float64, relative, stated before the first run:
# losses and penalty, norms of the parameters.
BOUNDS = {"float32": (1e-3, 1e-3), "tf32": (3e-2, 1e-2)}
GOAL = {"milliseconds": 3.0, "times the plain loop": 4.0}
SEEDS = range(200, 210)  # of the digits, not looked at before
PLAIN = "plain loop, float32"


@dataclass
class Session:
    """One call of the script: where it runs, until when, and what it has found."""

    out: Path
    device: str
    minutes: float
    images: data.Images
    cache: Path  # of classifiers, for this call
    started: float = field(default_factory=time.perf_counter)
    found: dict[str, Any] = field(default_factory=dict)

    @property
    def gpu(self) -> bool:
        return self.device.startswith("cuda")

    @property
    def fast(self) -> str:
        """The precision that is meant to be used."""
        return "tf32" if self.gpu else "float32"

    def time(self, share: float) -> float:
        """Return when so much of the time will have gone."""
        return self.started + 60 * self.minutes * share

    def save(self) -> None:
        """Write what was found so far."""
        write_atomic(self.out / "results.json", json.dumps(self.found, indent=1) + "\n")

    def configuration(self, **changes: Any) -> Configuration:
        """Return the paper's settings on CIFAR-10; on a CPU the same at toy size."""
        toy = {} if self.gpu else {"width": 4, "cap": 8, "latent": 8, "batch": 8}
        fixed = {"tau": 4.0, "mu": 10.0, "averages": (0.999, 0.9999), "device": self.device}
        return Configuration(**(fixed | toy | changes))

    def seconds(self, work: Callable[[], Any]) -> float:
        """Return how long it takes until the device has done some work."""
        if self.gpu:
            torch.cuda.synchronize()
        began = time.perf_counter()
        work()
        if self.gpu:
            torch.cuda.synchronize()
        return time.perf_counter() - began


def about(session: Session) -> dict[str, Any]:
    """Say what makes the results."""

    def said(*command: str) -> str:
        here = Path(__file__).parent
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=20, check=True, cwd=here
            )
            return done.stdout.strip()
        return ""

    versions = {name: metadata.version(name) for name in ("torch", "torchvision", "numpy", "scipy")}
    commit = said("git", "rev-parse", "HEAD")
    changed = bool(said("git", "status", "--porcelain", "--", "..", ":(exclude)../outputs"))
    driver = said("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    device = {"gpu": torch.cuda.get_device_name(session.device)} if session.gpu else {}
    return {
        "began": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
        "minutes": session.minutes,
        "commit": {"id": commit, "dirty": changed} if commit else None,
        "versions": {"python": platform.python_version(), **versions},
        "machine": {"system": f"{platform.system()} {platform.machine()}", **device},
        "driver": driver,
        "pictures": f"{len(session.images.pixels):,}, {session.images.source}",
        "toy": not session.gpu,
    }


def stream(images: data.Images, c: Configuration) -> data.Batches:
    """Return the batches of a run."""
    options = {"seed": c.seed, "device": c.device, "flip": c.flip, "noise": c.noise}
    return data.Batches(images, c.batch, dtype=c.dtype, **options)


def step(trainer: Any, batches: Iterator[Tensor], updates: int) -> None:
    """Let a trainer make updates."""
    for _ in range(updates):
        trainer.update(next(batches), trainer.draw(), trainer.draw())


def eager(trainer: Trainer) -> Trainer:
    """Let a trainer's updates run as they are, without a graph."""
    trainer._play = trainer._steps_of_both
    return trainer


# Is it right?


def right(session: Session, until: float) -> None:
    """Ten updates against the CPU in float64; a graph; a stop; the gradient; waiting."""
    exact = session.configuration(device="cpu", precision="float64")
    batches, reference = stream(session.images, exact), Trainer(exact)
    given = [(next(batches), reference.draw(), reference.draw()) for _ in range(10)]
    expected = torch.stack([torch.stack(reference.update(*batch)) for batch in given])
    size = norms(reference)
    found = session.found["right"] = {"updates": len(given), "bounds": BOUNDS}
    for precision in dict.fromkeys(("float32", session.fast)):
        c = replace(exact, device=session.device, precision=precision)
        with arithmetic(precision):
            trainer, plain, resumed = Trainer(c), eager(Trainer(c)), Trainer(c)
            losses = []
            for k, batch in enumerate(given, start=1):
                here = [part.to(c.device, c.dtype) for part in batch]
                losses.append(torch.stack(trainer.update(*here)).double().cpu())
                plain.update(*here)
                if k > 5:
                    resumed.update(*here)
                elif k == 5:
                    resumed.load_state_dicts(trainer.state_dicts())
        mine = norms(trainer)
        of_losses = float((torch.stack(losses) / expected - 1).abs().max())
        of_norms = gap(mine, size)
        within = of_losses <= BOUNDS[precision][0] and of_norms <= BOUNDS[precision][1]
        found[precision] = {
            "losses differ by": of_losses,
            "norms differ by": of_norms,
            "within the bounds": within,
            "without a graph it differs by": gap(norms(plain), mine),
            "a resumed run differs by": gap(norms(resumed), mine),
        }
    found["one pass against double differentiation"] = gradients(session)
    found["waits"] = waits(session)


def norms(trainer: Trainer) -> Tensor:
    """Return the norm of every parameter."""
    players = trainer.generator, trainer.discriminator
    return torch.stack([p.detach().double().norm().cpu() for q in players for p in q.parameters()])


def gap(one: Tensor, other: Tensor) -> float:
    """Return the largest relative difference; biases, which begin near 0, beside the largest."""
    return float(((one - other).abs() / other.clamp_min(1e-2 * other.max())).max())


def gradients(session: Session) -> float:
    """Return by how much the discriminator's gradient differs from double differentiation's."""
    c = session.configuration()
    trainer, real = Trainer(c), next(stream(session.images, c))
    judge, mu = trainer.discriminator, torch.tensor([c.mu], device=c.device)
    with arithmetic("float32"):
        fake = trainer.generator(trainer.draw()).detach()
        *_, mine = discriminator_gradient(judge, real, fake, mu, c.penalty_factor, c.penalty)
        x = real.clone().requires_grad_()
        (slope,) = torch.autograd.grad(judge(x).sum(), x, create_graph=True)
        loss = F.softplus(-judge(real)).mean() + F.softplus(judge(fake)).mean()
        loss = loss + c.penalty_factor * c.mu * slope.square().sum((1, 2, 3)).mean()
        theirs = torch.autograd.grad(loss, list(judge.parameters()))
    return max(float((a - b).norm() / b.norm()) for a, b in zip(mine, theirs, strict=True))


def waits(session: Session) -> str:
    """Say where batches and updates wait for the device."""
    if not session.gpu:
        return "not looked at without a GPU"
    c = session.configuration(precision=session.fast)
    with arithmetic(c.precision):
        trainer, batches = Trainer(c), stream(session.images, c)
        step(trainer, batches, 8)  # it is captured by then
        torch.cuda.set_sync_debug_mode("error")
        try:
            step(trainer, batches, 20)
        except RuntimeError as error:
            return str(error).partition("\n")[0]
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return "nowhere"


# Is it fast?


class Loop(Plain):
    """The plain loop, with latent vectors of its own."""

    def draw(self) -> Tensor:
        return torch.randn(self.c.batch, self.c.latent, device=self.c.device)


# By name: what makes it, in which precision, and whether cuDNN tries its algorithms.
WAYS: dict[str, tuple[Callable[[Configuration], Any], str, bool]] = {
    PLAIN: (Loop, "float32", False),
    "eager, float32": (lambda c: eager(Trainer(c)), "float32", False),
    "eager, tf32": (lambda c: eager(Trainer(c)), "tf32", False),
    "captured, float32": (Trainer, "float32", False),
    "captured, tf32": (Trainer, "tf32", False),
    "captured, tf32, algorithms tried": (Trainer, "tf32", True),
}


def fast(session: Session, until: float) -> None:
    """Milliseconds an update in rounds that alternate, memory, share of the data, the floor."""
    batches, trainers, memory = stream(session.images, session.configuration()), {}, {}
    ways = WAYS if session.gpu else dict(list(WAYS.items())[:2])
    for name, (make, precision, tried) in ways.items():
        before = torch.cuda.memory_allocated() if session.gpu else 0
        if session.gpu:
            torch.cuda.reset_peak_memory_stats()
        torch.backends.cudnn.benchmark = tried
        with arithmetic(precision):
            trainers[name] = make(session.configuration(precision=precision, averages=(0.9999,)))
            step(trainers[name], batches, 5)  # it is captured by then
        if session.gpu:
            memory[name] = (torch.cuda.max_memory_allocated() - before) / 2**30
    torch.backends.cudnn.benchmark = False
    times: dict[str, list[float]] = {name: [] for name in [*ways, "data"]}
    updates, rounds = 20 if session.gpu else 1, 0
    while rounds < 3 or (rounds < 15 and time.perf_counter() < until):
        for name, trainer in trainers.items():
            with arithmetic(ways[name][1]):
                spent = session.seconds(lambda t=trainer: step(t, batches, updates))
            times[name].append(spent / updates)
        spent = session.seconds(lambda: [next(batches) for _ in range(updates)])
        times["data"].append(spent / updates)
        rounds += 1
    median = {name: 1e3 * statistics.median(each) for name, each in times.items()}
    best = min((name for name in ways if name != PLAIN), key=median.__getitem__)
    torch.backends.cudnn.benchmark = ways[best][2]  # in the stages to come
    ratio = median[PLAIN] / median[best]
    reached = median[best] <= GOAL["milliseconds"] and ratio >= GOAL["times the plain loop"]
    session.found["fast"] = {
        "milliseconds an update": median, "rounds": rounds, "GiB at the most": memory,
        "best": best, "share of the data": median["data"] / median[best],
        "times the plain loop": ratio, "goal": GOAL, "goal reached": reached,
        "floor": floor(session), "digits, milliseconds an update and GAN": stacks(session),
    }  # fmt: skip


def floor(session: Session) -> dict[str, float]:
    """Return the rate of a large product of matrices, and what an update would take at it."""
    n = 8192 if session.gpu else 256
    a, b = (torch.randn(n, n, device=session.device) for _ in range(2))
    with arithmetic(session.fast):
        each = [session.seconds(lambda: a @ b) for _ in range(6)][1:]
    rate = 2 * n**3 / statistics.median(each)
    return {"TFLOP a second": rate / 1e12, "milliseconds": 1e3 * FLOP / rate}


def stacks(session: Session) -> dict[str, float]:
    """Return milliseconds an update and GAN of the default study, by GANs side by side."""
    images, found = data.load("digits"), {}
    settings = {"tau": 4.0, "mu": 10.0, "device": session.device} | study.FIXED | study.DEFAULT
    updates = 100 if session.gpu else 2
    for size in (1, 12, 48) if session.gpu else (1, 2):
        some = [Configuration(**settings, seed=seed) for seed in range(size)]
        trainer, streams = Trainer(*some), [stream(images, c) for c in some]
        batches = (torch.cat(each, 1) for each in zip(*streams, strict=True))
        step(trainer, batches, 5)
        spent = session.seconds(lambda t=trainer, b=batches: step(t, b, updates))
        found[str(size)] = 1e3 * spent / updates / size
    return found


# The paper's question


def question(session: Session, until: float) -> None:
    """The paper's runs on CIFAR-10, each tau for as many updates as the time allows."""
    images, most = session.images, 10_000 if session.gpu else 100
    options = {"device": session.device, "cache": session.cache}
    count = min(most, len(images.pixels))
    scorer = distances.scorer("classifier", images, count=count, samples=most, **options)
    # Fréchet's distance of 3,072 pixels takes longer than the updates between two of them.
    scorer = replace(scorer, extract={scorer.name: scorer.extract[scorer.name]})
    network = features.train_classifier(images, **options)
    torch.save(
        {"network": network.state_dict(), "accuracy": network.accuracy},
        session.out / "classifier.pt",
    )
    found = session.found["question"] = {"distance": scorer.unit, "runs": []}
    began = time.perf_counter()
    for mu, end in ((10.0, began + 0.75 * (until - began)), (1.0, until)):
        found["runs"] += train(session, scorer, mu, most, end)
        session.save()


def train(
    session: Session, scorer: distances.Scorer, mu: float, samples: int, until: float
) -> list[dict[str, Any]]:
    """Train every tau in turns; leave a picture of all; return parameters and metrics."""
    chunk = 2500 if session.gpu else 3
    settings = [session.configuration(tau=tau, mu=mu, precision=session.fast) for tau in TAUS]
    gans = [Run(Trainer(c), stream(session.images, c), scorer) for c in settings]
    latents = distances.fixed_latents(samples, settings[0].latent)
    for gan in gans:
        with arithmetic(session.fast):
            gan.look(latents)
    took = 0.0
    while took == 0 or time.perf_counter() + 1.1 * took < until:
        began = time.perf_counter()
        for gan in gans:
            with arithmetic(session.fast):
                gan.spent += session.seconds(lambda g=gan: step(g.trainer, g.batches, chunk))
                gan.look(latents)
        took = time.perf_counter() - began
    sheets = []
    for gan in gans:
        (made,) = gan.trainer.samples(settings[0].averages[-1], latents[:64])
        shown = distances.quantize(torch.nan_to_num(made)).cpu() / 255
        sheets.append(torchvision.utils.make_grid(shown, nrow=8, padding=1, pad_value=1))
    torchvision.utils.save_image(torch.cat(sheets, 2), session.out / f"samples_mu{mu:g}.png")
    return [gan.record(chunk, samples) for gan in gans]


@dataclass
class Run:
    """A GAN in training, and what is known of it."""

    trainer: Trainer
    batches: data.Batches
    scorer: distances.Scorer
    update: list[int] = field(default_factory=list)
    scores: dict[str, list[float | None]] = field(default_factory=dict)  # by beta
    spent: float = 0.0  # seconds

    def look(self, latents: Tensor) -> None:
        """Take the distance of every average."""
        self.update.append(self.trainer.updates)
        for beta in self.trainer.averages:
            (made,) = self.trainer.samples(beta, latents)
            value = self.scorer.score(made)[self.scorer.name] if made.isfinite().all() else None
            self.scores.setdefault(f"{beta}", []).append(value)

    def record(self, chunk: int, samples: int) -> dict[str, Any]:
        """Return parameters and metrics as the training notebook leaves them."""
        c, name, updates = self.trainer.configuration, self.scorer.name, self.trainer.updates
        same = ("tau", "mu", "penalty", "penalty_factor", "loss", "alternating", "gamma1", "nu",
                "batch", "latent", "resolution", "width", "flip", "noise", "rms_bias_correction",
                "warm_up", "seed", "device", "precision")  # fmt: skip
        parameters = {key: getattr(c, key) for key in same} | {
            "dataset": "folder", "distance": "classifier", "averages": list(c.averages),
            "updates": updates, "samples": samples, "evaluate_every": chunk, "evaluate_at": [],
            "real_pictures": self.scorer.provenance["real_pictures"], "pictures_at": [],
            "checkpoint_every": updates, "side_by_side": 1,
        }  # fmt: skip
        metrics = {
            "score": name, "score_provenance": self.scorer.provenance,
            "history": {"update": self.update, "scores": {name: self.scores}, "losses": {}},
            "updates_per_second": updates / self.spent, "trained_together": 1,
            "final": {name: {beta: values[-1] for beta, values in self.scores.items()}},
        }  # fmt: skip
        return {"parameters": parameters, "metrics": metrics}


# The digits


def digits(session: Session, until: float) -> None:
    """The default study with other seeds, and what it says."""
    entries: list[dict[str, Any]] = []
    settings = study.DEFAULT if session.gpu else study.DEFAULT | {"updates": 6}
    task = {
        "settings": settings, "taus": study.TAUS, "mus": study.MUS, "stack": 12, "spectra": (),
        "threads": torch.get_num_threads(), "layout": "last", "device": session.device,
    }  # fmt: skip
    took = 0.0
    for seed in SEEDS if session.gpu else SEEDS[:1]:
        if time.perf_counter() + 1.1 * took > until and entries:
            break
        began = time.perf_counter()
        with arithmetic("float32"):
            entries += study.train(task | {"seed": seed}, session.cache)
        took = time.perf_counter() - began
        path = session.out / "digits.json"
        write_atomic(path, json.dumps({"runs": entries}) + "\n")
        (family,) = studies.read(session.out).part("digits").values()
        verdicts = {
            ruler: {
                name: {"p": None if math.isnan(one.p) else one.p, "says": one.word}
                for name, one in results.compare(family.logs(ruler, entries[0]["update"])).items()
            }
            for ruler in entries[0]["scores"]
        }
        seeds = sorted({entry["seed"] for entry in entries})
        session.found["digits"] = {"seeds": seeds, "seconds a seed": took, "verdicts": verdicts}
        session.save()


STAGES: dict[Callable[[Session, float], None], float] = {  # and when each has to end
    right: 0.12, fast: 0.25, question: 0.8, digits: 0.97,
}  # fmt: skip


def main() -> None:
    """Go through the stages."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--data", type=Path, required=True, help="zip or folder of pictures")
    parser.add_argument("--device", default="cuda")
    options, began = parser.parse_args(), time.perf_counter()
    options.out.mkdir(parents=True, exist_ok=True)
    images = data.load("folder", path=options.data, resolution=32)
    with TemporaryDirectory() as cache:
        session = Session(
            options.out, options.device, options.minutes, images, Path(cache), started=began
        )
        session.found |= {"about": about(session), "seconds": {}}
        for stage, share in STAGES.items():
            name, started = stage.__name__, time.perf_counter()
            try:
                stage(session, session.time(share))
            except Exception:  # the next stage may still have an answer
                error = traceback.format_exc(limit=-3).replace(f"{Path.cwd()}/", "")
                session.found[name] = session.found.get(name, {}) | {"error": error}
            session.found["seconds"][name] = time.perf_counter() - started
            session.save()
            print(f"{name}: {session.found['seconds'][name]:.1f} s", flush=True)


if __name__ == "__main__":
    main()
