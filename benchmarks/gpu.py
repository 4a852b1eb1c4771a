"""What is asked of a GPU, in minutes: is it right, is it fast, the paper's question, the digits.

    PYTHONPATH=lib python benchmarks/gpu.py --minutes 8 --out FOLDER --data cifar.zip

Stages share the time; each writes what it has found, so that a stop loses one of them.  The folder
is for ``python -m taugda publish gpu FOLDER``.  It needs torch, torchvision, NumPy, SciPy,
scikit-learn, Matplotlib, PyYAML and tqdm; ``--device cpu --minutes 1`` goes through all of it at
toy size.
"""

import argparse
import contextlib
import json
import platform
import statistics
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import study
import torch
from gan_update import Plain
from PIL import Image
from torch.nn import functional as F

from taugda.atomic import write_atomic
from taugda.gan import data, distances, features, results
from taugda.gan.configuration import Configuration, arithmetic
from taugda.gan.gradients import discriminator_gradient
from taugda.gan.update import Trainer
from taugda.plots import contact_sheet

TAUS = (1.0, 2.0, 4.0, 8.0)
FLOP = 368e9  # of one update at the paper's sizes, counted from the shapes of its layers
# How far ten updates may be from the CPU's in float64, relative: losses and penalty, norms of the
# parameters.  Stated before the first run.
BOUNDS = {"float32": (1e-3, 1e-3), "tf32": (3e-2, 1e-2)}
GOAL = {"milliseconds": 3.0, "times the plain loop": 4.0}
SEEDS = range(200, 210)  # of the digits, not looked at before


@dataclass
class Session:
    """One call of the script: where it runs, until when, and what it has found."""

    out: Path
    device: str
    minutes: float
    pictures: data.Images
    toy: bool
    found: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    def time(self, share: float) -> float:
        """Return when so much of the time will have gone."""
        return self.started + 60 * self.minutes * share

    def save(self) -> None:
        """Write what was found so far."""
        write_atomic(self.out / "results.json", json.dumps(self.found, indent=1) + "\n")

    def configuration(self, **changes: Any) -> Configuration:
        """Return the paper's settings on CIFAR-10, at toy size on a CPU."""
        toy = {"width": 4, "cap": 8, "latent": 8, "batch": 8} if self.toy else {}
        fixed = {"tau": 4.0, "mu": 10.0, "averages": (0.999, 0.9999), "device": self.device}
        return Configuration(**(fixed | toy | changes))

    @property
    def fast(self) -> str:
        """The precision that is meant to be used."""
        return "tf32" if self.device.startswith("cuda") else "float32"

    def batches(self, c: Configuration) -> data.Batches:
        """Return the stream of the pictures."""
        options = {"seed": c.seed, "device": c.device, "flip": c.flip, "noise": c.noise}
        return data.Batches(self.pictures, c.batch, dtype=c.dtype, **options)

    def wait(self) -> None:
        """Wait until the device has done what it was given."""
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()


def about(session: Session) -> dict[str, Any]:
    """Say what made the results."""

    def said(*command: str) -> str:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            return subprocess.run(
                command, capture_output=True, text=True, timeout=20, check=True,
                cwd=Path(__file__).parent,
            ).stdout.strip()  # fmt: skip
        return ""

    versions = {name: metadata.version(name) for name in ("torch", "torchvision", "numpy", "scipy")}
    commit = said("git", "rev-parse", "HEAD")
    dirty = bool(said("git", "status", "--porcelain", "--", ".", ":(exclude)outputs"))
    gpu = session.device.startswith("cuda")
    return {
        "versions": {"python": platform.python_version(), **versions},
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            **({"gpu": torch.cuda.get_device_name(session.device)} if gpu else {}),
        },
        "driver": said("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
        "commit": {"id": commit, "dirty": dirty} if commit else None,
        "began": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
        "minutes": session.minutes, "device": session.device, "toy": session.toy,
        "pictures": f"{len(session.pictures.pixels):,}, {session.pictures.source}",
    }  # fmt: skip


def right(session: Session, until: float) -> None:
    """Ten updates against the CPU in float64, the one-pass gradient, a run stopped and resumed."""
    exact = session.configuration(device="cpu", precision="float64")
    stream, reference = session.batches(exact), Trainer(exact)
    batches = [(next(stream), reference.draw(), reference.draw()) for _ in range(10)]
    expected = [torch.stack(reference.update(*batch)) for batch in batches]
    found: dict[str, Any] = {"updates": len(batches), "bounds": BOUNDS}
    session.found["right"] = found

    def norms(trainer: Trainer) -> torch.Tensor:
        players = trainer.generator, trainer.discriminator
        return torch.stack(
            [p.detach().double().norm().cpu() for q in players for p in q.parameters()]
        )

    for precision in dict.fromkeys(("float32", session.fast)):
        c = replace(exact, device=session.device, precision=precision)
        with arithmetic(precision):
            trainer, resumed, losses = Trainer(c), Trainer(c), []
            for k, batch in enumerate(batches):
                given = [part.to(c.device, c.dtype) for part in batch]
                losses.append(torch.stack(trainer.update(*given)).double().cpu())
                if k == 5:
                    resumed.load_state_dicts(trainer.state_dicts())
                elif k > 5:
                    resumed.update(*given)
        # Parameters that begin at 0 have norms near 0: the difference counts beside the largest.
        size, mine, again = norms(reference), norms(trainer), norms(resumed)
        gaps = [
            float(
                ((torch.stack(losses) - torch.stack(expected)) / torch.stack(expected)).abs().max()
            ),
            float(((mine - size) / size.clamp_min(1e-2 * size.max())).abs().max()),
        ]
        found[precision] = {
            "losses differ by": gaps[0], "norms differ by": gaps[1],
            "within the bounds": all(g <= b for g, b in zip(gaps, BOUNDS[precision], strict=True)),
            "a resumed run differs by": float(((again - mine) / size.clamp_min(1e-2)).abs().max()),
        }  # fmt: skip
    found["one pass against double differentiation"] = gradients(session)
    found["waits"] = waits(session)


def gradients(session: Session) -> float:
    """Return by how much the discriminator's gradient differs from double differentiation's."""
    c = session.configuration()
    trainer, real = Trainer(c), next(session.batches(c))
    with arithmetic("float32"):
        fake = trainer.generator(trainer.draw()).detach()
        *_, mine = discriminator_gradient(
            trainer.discriminator,
            real,
            fake,
            torch.tensor([c.mu], device=c.device),
            c.penalty_factor,
            c.penalty,
        )
        judge, x = trainer.discriminator, real.clone().requires_grad_()
        (slope,) = torch.autograd.grad(judge(x).sum(), x, create_graph=True)
        loss = F.softplus(-judge(real)).mean() + F.softplus(judge(fake)).mean()
        loss = loss + c.penalty_factor * c.mu * slope.square().sum((1, 2, 3)).mean()
        theirs = torch.autograd.grad(loss, list(judge.parameters()))
    gaps = [
        float((a - b).norm() / b.norm()) for a, b in zip(mine, theirs, strict=True) if b.norm() > 0
    ]
    return max(gaps)


def waits(session: Session) -> str:
    """Say whether updates and batches wait for the device anywhere."""
    if not session.device.startswith("cuda"):
        return "not looked at: no GPU"
    c = session.configuration(precision=session.fast)
    trainer, stream = Trainer(c), session.batches(c)
    step(trainer, stream, 8)  # it is captured by then
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(trainer, stream, 20)
    except RuntimeError as error:
        return str(error).partition("\n")[0]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return "nowhere"


def step(trainer: Any, stream: data.Batches, updates: int) -> Any:
    """Let a trainer make updates; return what the last one said."""
    c, said = stream, None
    for _ in range(updates):
        said = trainer.update(next(c), trainer.draw(), trainer.draw())
    return said


class Loop(Plain):
    """The plain loop, with latent vectors of its own."""

    def draw(self) -> torch.Tensor:
        """Draw a batch of latent vectors."""
        return torch.randn(self.c.batch, self.c.latent, device=self.c.device)


def fast(session: Session, until: float) -> None:
    """Milliseconds an update in rounds that alternate, memory, data, and the floor."""
    ways: dict[str, tuple[Any, str]] = {}
    memory: dict[str, float] = {}
    gpu = session.device.startswith("cuda")
    kinds = [("plain loop", Loop, "float32", False), ("eager", Trainer, "float32", False)]
    if gpu:
        kinds += [("eager", Trainer, "tf32", False), ("captured", Trainer, "float32", True),
                  ("captured", Trainer, "tf32", True)]  # fmt: skip
    for kind, make, precision, captured in kinds:
        trainer = make(session.configuration(precision=precision, averages=(0.9999,)))
        if gpu and make is Trainer and not captured:
            trainer._play = trainer._steps_of_both
        ways[f"{kind}, {precision}"] = trainer, precision
    stream = session.batches(session.configuration())
    times: dict[str, list[float]] = {name: [] for name in [*ways, "data"]}
    updates = 2 if session.toy else 20
    rounds = 0
    while rounds < 2 or (time.perf_counter() < until and rounds < 15):
        for name, (trainer, precision) in ways.items():
            if gpu:
                torch.cuda.reset_peak_memory_stats()
            with arithmetic(precision):
                step(trainer, stream, 0 if rounds else 5)
                times[name].append(
                    seconds(session, lambda t=trainer: step(t, stream, updates)) / updates
                )
            if gpu:
                memory[name] = torch.cuda.max_memory_allocated() / 2**30
        times["data"].append(
            seconds(session, lambda: [next(stream) for _ in range(updates)]) / updates
        )
        rounds += 1
    median = {name: 1e3 * statistics.median(each) for name, each in times.items()}
    best = min((name for name in ways if name != "plain loop, float32"), key=median.__getitem__)
    ratio = median["plain loop, float32"] / median[best]
    session.found["fast"] = {
        "milliseconds an update": median, "rounds": rounds, "GiB at the most": memory, "best": best,
        "times the plain loop": ratio, "floor": floor(session), "goal": GOAL,
        "goal reached":
            median[best] <= GOAL["milliseconds"] and ratio >= GOAL["times the plain loop"],
        "digits, milliseconds an update and GAN, by GANs side by side": stacks(session),
    }  # fmt: skip


def seconds(session: Session, work: Callable[[], Any]) -> float:
    """Return how long it takes until the device has done it."""
    session.wait()
    began = time.perf_counter()
    work()
    session.wait()
    return time.perf_counter() - began


def floor(session: Session) -> dict[str, float]:
    """Return the rate of a large product of matrices, and what an update would take at it."""
    n = 256 if session.toy else 8192
    a, b = (torch.randn(n, n, device=session.device) for _ in range(2))
    with arithmetic(session.fast):
        each = [seconds(session, lambda: a @ b) for _ in range(6)][1:]
    rate = 2 * n**3 / statistics.median(each)
    return {"TFLOP a second": rate / 1e12, "milliseconds": 1e3 * FLOP / rate}


def stacks(session: Session) -> dict[str, float]:
    """Return milliseconds an update and GAN of the digits, by how many are side by side."""
    images, found = data.load("digits"), {}
    for size in (1, 2) if session.toy else (1, 12, 48):
        c = Configuration(
            tau=4.0, mu=10.0, device=session.device, **{**study.FIXED, **study.DEFAULT}
        )
        some = [replace(c, seed=k) for k in range(size)]
        trainer = Trainer(*some)
        streams = [
            data.Batches(images, c.batch, seed=k, device=c.device, noise=c.noise)
            for k in range(size)
        ]

        def work(updates: int, trainer: Trainer = trainer, streams: Any = streams) -> None:
            for _ in range(updates):
                real = torch.cat([next(each) for each in streams], 1)
                trainer.update(real, trainer.draw(), trainer.draw())

        work(5)
        updates = 3 if session.toy else 100
        found[str(size)] = 1e3 * seconds(session, lambda: work(updates)) / updates / size  # noqa: B023
    return found


def question(session: Session, until: float) -> None:
    """The paper's runs on CIFAR-10, every tau for as many updates as the time allows."""
    images, toy = session.pictures, session.toy
    count = min(10_000, len(images.pixels))
    samples = 100 if toy else 10_000
    with tempfile.TemporaryDirectory() as folder:  # where what the scorer trained is found again
        place = {"device": session.device, "cache": Path(folder)}
        scorer = distances.scorer("classifier", images, count=count, samples=samples, **place)
        network = features.train_classifier(images, **place)
    torch.save({"network": network.state_dict(), "accuracy": network.accuracy},
               session.out / "classifier.pt")  # fmt: skip
    found: dict[str, Any] = {"distance": scorer.provenance, "label": scorer.label, "runs": []}
    session.found["question"] = found
    begin = time.perf_counter()
    for mu, end in ((10.0, begin + 2 / 3 * (until - begin)), (1.0, until)):
        runs = found["runs"] + train(session, scorer, mu, samples, end)
        found["runs"] = runs
        session.save()


def train(
    session: Session, scorer: distances.Scorer, mu: float, samples: int, until: float
) -> list[dict[str, Any]]:
    """Train every tau in turns; return parameters and metrics of the runs."""
    chunk = 3 if session.toy else 2500
    gans, streams, latents = {}, {}, None
    for tau in TAUS:
        c = session.configuration(tau=tau, mu=mu, precision=session.fast)
        gans[tau], streams[tau] = Trainer(c), session.batches(c)
        latents = distances.fixed_latents(samples, c.latent)
    histories: dict[float, dict[str, Any]] = {
        tau: {"update": [], "scores": {scorer.name: {f"{b}": [] for b in c.averages}}, "losses": {}}
        for tau in TAUS
    }
    spent, took = dict.fromkeys(TAUS, 0.0), 0.0

    def look(tau: float) -> None:
        histories[tau]["update"].append(gans[tau].updates)
        for beta in c.averages:
            (made,) = gans[tau].samples(beta, latents)
            value = scorer.score(made)[scorer.name] if made.isfinite().all() else None
            histories[tau]["scores"][scorer.name][f"{beta}"].append(value)

    for tau in TAUS:
        look(tau)
    while took == 0 or time.perf_counter() + 1.1 * took < until:
        began = time.perf_counter()
        for tau in TAUS:
            with arithmetic(session.fast):
                work = lambda t=tau: step(gans[t], streams[t], chunk)  # noqa: E731
                spent[tau] += seconds(session, work)
            look(tau)
        took = time.perf_counter() - began
    sheets = [gans[tau].samples(c.averages[-1], latents[:64])[0] for tau in TAUS]
    grids = [contact_sheet(distances.quantize(torch.nan_to_num(s)).cpu()) for s in sheets]
    Image.fromarray(np.concatenate(grids, axis=1).squeeze()).save(
        session.out / f"samples_mu{mu:g}.png"
    )
    return [run_of(session, gans[tau], scorer, histories[tau], spent[tau], samples) for tau in TAUS]


def run_of(
    session: Session, trainer: Trainer, scorer: distances.Scorer, history: dict[str, Any],
    spent: float, samples: int,
) -> dict[str, Any]:  # fmt: skip
    """Return a run as the training notebook would leave it: parameters and metrics."""
    c, updates = trainer.configuration, trainer.updates
    shared = vars(c).keys() - {"averages", "updates", "channels", "cap", "rms_alpha", "rms_eps"}
    every = history["update"][1]
    return {
        "parameters": {name: getattr(c, name) for name in sorted(shared)}
        | {"dataset": "folder", "distance": "classifier", "averages": list(c.averages)}
        | {"updates": updates, "real_pictures": scorer.provenance["real_pictures"]}
        | {"samples": samples, "evaluate_every": every, "evaluate_at": [], "pictures_at": []}
        | {"checkpoint_every": updates, "side_by_side": 1},
        "metrics": {
            "score": scorer.name, "score_provenance": scorer.provenance, "history": history,
            "updates_per_second": updates / spent, "trained_together": 1, "resumed_after": [],
            "final": {n: {b: v[-1] for b, v in by.items()} for n, by in history["scores"].items()},
        },
    }  # fmt: skip


def digits(session: Session, until: float) -> None:
    """The default study with other seeds, and what it says."""
    entries: list[dict[str, Any]] = []
    took = 0.0
    updates = 6 if session.toy else study.DEFAULT["updates"]
    for seed in SEEDS[:2] if session.toy else SEEDS:
        if took and time.perf_counter() + 1.1 * took > until:
            break
        began = time.perf_counter()
        settings = {**study.DEFAULT, "updates": updates}
        task = {
            "seed": seed, "settings": settings, "threads": torch.get_num_threads(), "stack": 12,
            "taus": study.TAUS, "mus": study.MUS, "spectra": (), "device": session.device,
        }  # fmt: skip
        entries += study.train(task, None)
        took = time.perf_counter() - began
        write_atomic(session.out / "digits.json", json.dumps({"runs": entries}) + "\n")
        family = next(iter(results.study(session.out / "digits.json").values()))
        at = entries[0]["update"]
        verdicts = {
            ruler: {
                name: {"p": one.p, "says": one.word}
                for name, one in results.compare(family.logs(ruler, at)).items()
            }
            for ruler in ("pixel distance", "digits distance")
        }
        seeds = sorted({entry["seed"] for entry in entries})
        session.found["digits"] = {"seeds": seeds, "seconds a seed": took, "verdicts": verdicts}
        session.save()


# And when each has to end, in shares of the time.
STAGES: dict[str, tuple[Callable[[Session, float], None], float]] = {
    "right": (right, 0.12),
    "fast": (fast, 0.25),
    "question": (question, 0.8),
    "digits": (digits, 0.97),
}


def main() -> None:
    """Go through the stages."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--data", type=Path, required=True, help="zip or folder of labelled pictures"
    )
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    toy = not options.device.startswith("cuda")
    began = time.perf_counter()
    pictures = data.load("folder", path=options.data, resolution=32)
    session = Session(options.out, options.device, options.minutes, pictures, toy, started=began)
    session.found["about"] = about(session)
    session.save()
    for name, (stage, share) in STAGES.items():
        started = time.perf_counter()
        try:
            stage(session, session.time(share))
        except Exception:  # the next stage may still have an answer
            session.found.setdefault(name, {})["error"] = traceback.format_exc(limit=-3)
        spent = session.found.setdefault("seconds", {})
        spent[name] = time.perf_counter() - started
        session.save()
        print(f"{name}: {spent[name]:.1f} s", flush=True)


if __name__ == "__main__":
    main()
