"""The study on the digits beyond its default: other rates, seeds, orders of sums, other rules.

    python benchmarks/study.py [NAME ...] [-j JOBS]

Each part trains stacks of small GANs at every tau and mu, one stack a seed, and leaves one JSON
file in outputs/published/study/; notebook 10 reads them.  A stack whose numbers are there is not
trained again, so a stopped study goes on where it was.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from taugda.atomic import write_atomic

TAUS, MUS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0), (1.0, 10.0)
AT = (2 / 3, 5 / 6, 1)  # of the updates: where the distances are taken
FIXED = {
    "penalty_factor": 0.5, "averages": (0.99,), "batch": 16, "latent": 64, "resolution": 8,
    "channels": 1, "width": 8, "flip": False,
}  # fmt: skip
DEFAULT = {"gamma1": 1e-3, "updates": 1200}
FIRST, SECOND = range(100, 108), range(108, 116)
WIDE = {"width": 16, "batch": 64}
LARGE = {"changes": WIDE, "seeds": FIRST[:6], "taus": TAUS[:4], "mus": MUS[1:]}
# What a part changes of the default, its seeds, and how its stacks are computed.
PARTS: dict[str, list[dict[str, Any]]] = {
    "rates": [
        {"changes": {"gamma1": gamma1, "updates": updates}, "seeds": range(100, 106)}
        for gamma1, updates in ((2.5e-4, 4800), (5e-4, 2400), (1e-3, 1200), (2e-3, 1200),
                                (4e-3, 1200))
    ],
    "seeds": [{"seeds": SECOND}],
    "threads": [{"seeds": FIRST, "threads": 2}],
    "order": [{"seeds": FIRST, "stack": 6}],
    "channels_first": [{"seeds": FIRST, "layout": "first"}],
    "corrected": [{"changes": {"rms_bias_correction": True}, "seeds": FIRST}],
    "simultaneous": [{"changes": {"alternating": False}, "seeds": FIRST}],
    # Networks and batches of the former default, where the start of RMSprop matters.
    "large": [LARGE],
    "large_corrected": [LARGE | {"changes": WIDE | {"rms_bias_correction": True}}],
    "large_warm": [LARGE | {"changes": WIDE | {"warm_up": 100}}],
    "spectra": [
        {"changes": changes, "seeds": seeds, "spectra": (100, 600, 1200)}
        for changes, seeds in (({}, FIRST[:4]), ({"alternating": False}, FIRST[:4]),
                               ({"gamma1": 4e-3}, FIRST[:2]))
    ],
}  # fmt: skip


def stacks(name: str) -> list[dict[str, Any]]:
    """List the stacks of a part: a seed, settings, and how it is computed."""
    return [
        {
            "threads": 1, "stack": len(TAUS) * len(MUS), "taus": TAUS, "mus": MUS, "spectra": (),
            "layout": "last",
            **part, "seed": seed, "settings": DEFAULT | part.get("changes", {}),
        }
        for part in PARTS[name] for seed in part["seeds"]
    ]  # fmt: skip


def train(task: dict[str, Any], cache: Path | None) -> list[dict[str, Any]]:
    """Train the GANs of one seed; an entry each, with its distances."""
    import torch

    from taugda.gan import data, distances
    from taugda.gan import update as gan_update
    from taugda.gan.configuration import Configuration

    if task["spectra"]:  # it needs what a machine with a GPU may not have
        from taugda.gan.spectrum import spectrum

    torch.set_num_threads(task["threads"])
    first = task["layout"] == "first"
    gan_update.LAYOUT = torch.contiguous_format if first else torch.channels_last
    images, device = data.load("digits"), task.get("device", "cpu")
    scorer = distances.scorer(
        "digits", images, count=1797, samples=2000, device=device, cache=cache
    )
    latents, seed = distances.fixed_latents(2000, FIXED["latent"]), task["seed"]
    everyone = [
        Configuration(tau=tau, mu=mu, seed=seed, device=device, **{**FIXED, **task["settings"]})
        for mu in task["mus"] for tau in task["taus"]
    ]  # fmt: skip
    entries = []
    for start in range(0, len(everyone), task["stack"]):
        some = everyone[start : start + task["stack"]]
        trainer = gan_update.Trainer(*some)
        for layer in trainer.generator.modules() if first else ():
            if isinstance(layer, torch.nn.Conv2d):  # else it goes on as its narrow end begins
                layer.register_forward_pre_hook(lambda _, given: (given[0].contiguous(),))
        streams = [
            data.Batches(images, c.batch, seed=seed, device=device, noise=c.noise) for c in some
        ]
        at = [round(share * some[0].updates) for share in AT]
        scores: list[dict[str, list[float | None]]] = [{} for _ in some]
        spectra: list[dict[str, Any]] = [{} for _ in some]
        for update in range(1, some[0].updates + 1):
            pictures = [next(stream) for stream in streams]
            z2, z1 = trainer.draw(), trainer.draw()
            trainer.update(torch.cat(pictures, 1), z2, z1)
            if update in task["spectra"]:
                parts = zip(some, pictures, z1.chunk(len(some), 1), strict=True)
                for number, (c, *batch) in enumerate(parts):
                    if torch.isfinite(trainer.samples(0.99, latents[:1])[number]).all():
                        alone = trainer.alone(number)
                        spectra[number][str(update)] = spectrum(c, *alone, *batch, updates=update)
            if update in at:
                for found, made in zip(scores, trainer.samples(0.99, latents), strict=True):
                    good = bool(torch.isfinite(made).all())
                    each = scorer.score(made if good else torch.zeros_like(made))
                    for score, value in each.items():
                        found.setdefault(score, []).append(value if good else None)
        entries += [
            {"tau": c.tau, "mu": c.mu, "seed": seed, **task["settings"], "update": at, "scores": s}
            | ({"spectra": found} if found else {})
            for c, s, found in zip(some, scores, spectra, strict=True)
        ]
    return entries


def main() -> None:
    """Train what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *PARTS], metavar="NAME",
                        help=f"parts, of {', '.join(PARTS)}; all by default")  # fmt: skip
    parser.add_argument("-j", type=int, default=2, help="stacks at the same time (default: 2)")
    options = parser.parse_args()
    from taugda.record.provenance import provenance
    from taugda.runs.project import Project

    project = Project.find()
    for name in options.names or PARTS:
        path = project.root / "outputs" / "published" / "study" / f"{name}.json"
        former = json.loads(path.read_text()) if path.is_file() else {"runs": []}
        runs = former["runs"]
        found = {"tau", "mu", "update", "scores", "spectra"}
        there = [{n: v for n, v in run.items() if n not in found} for run in runs]
        tasks = [t for t in stacks(name) if {"seed": t["seed"], **t["settings"]} not in there]
        print(f"{name}: {len(tasks)} stacks to train", flush=True)
        jobs = 1 if any(task["threads"] > 1 for task in tasks) else options.j
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            waiting = [pool.submit(train, task, project.cache) for task in tasks]
            for number, done in enumerate(as_completed(waiting), start=1):
                runs += done.result()
                runs.sort(key=lambda run: (run["gamma1"], run["mu"], run["tau"], run["seed"]))
                content = {"provenance": provenance(project, {}), "runs": runs}
                text = json.dumps(content).replace('{"tau"', '\n{"tau"')
                write_atomic(path, text + "\n")
                print(f"{name}: {number} of {len(tasks)} stacks", flush=True)


if __name__ == "__main__":
    main()
