"""The image GANs' players, one update of them, and runs that are stopped and taken up again."""

import errno
import io
import json
import math
import os
import subprocess
import sys
import time

import gan_reference
import pytest
import torch

from taugda.gan import checkpoints
from taugda.gan.checkpoints import CheckpointError, Checkpoints
from taugda.gan.configuration import Configuration
from taugda.gan.gradients import discriminator_gradient, generator_gradient
from taugda.gan.loop import Evaluation, train
from taugda.gan.models import Discriminator, Generator, parameter_count
from taugda.gan.update import DivergedError, Trainer

SMALL = {
    "resolution": 8, "channels": 1, "width": 4, "latent": 6, "batch": 5, "averages": (0.9, 0.99),
    "gamma1": 1e-3, "penalty_factor": 0.5, "updates": 12,
}  # fmt: skip


def configuration(**changes):
    return Configuration(**({"tau": 4.0, "mu": 10.0} | SMALL | changes))


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def random_pictures(c, seed=1):
    generator = torch.Generator().manual_seed(seed)
    shape = (c.batch, c.channels, c.resolution, c.resolution)
    return torch.rand(shape, generator=generator, dtype=c.dtype) * 2 - 1


# Players


def test_players_have_the_papers_numbers_of_parameters():
    assert parameter_count(Generator()) == 4_684_484
    assert parameter_count(Discriminator()) == 2_579_649


@pytest.mark.parametrize("resolution", [8, 16, 32, 64, 128])
def test_players_fit_every_power_of_two_from_eight(resolution):
    pictures = Generator(resolution, 3, latent=5, width=2)(torch.randn(2, 5))
    assert pictures.shape == (2, 3, resolution, resolution)
    assert pictures.abs().max() <= 1
    assert Discriminator(resolution, 3, width=2)(pictures).shape == (2,)


@pytest.mark.parametrize("resolution", [4, 12, 48, 0, -8, 8.0, True])
def test_other_resolutions_are_refused(resolution):
    with pytest.raises(ValueError, match="resolution: expected"):
        Generator(resolution)


# One update


def test_losses_at_an_undecided_discriminator():
    players = Generator(8, 1, latent=6, width=4), Discriminator(8, 1, width=4)
    for parameter in players[1].parameters():
        torch.nn.init.zeros_(parameter)
    for loss, sign in (("non-saturating", 1), ("saturating", -1)):
        value, _ = generator_gradient(*players, torch.zeros(3, 6), loss)
        assert value == pytest.approx(sign * math.log(2))


@pytest.mark.parametrize("penalty", ["R1", "R2"])
def test_discriminator_gradient_equals_double_differentiation_in_float32(penalty):
    torch.manual_seed(3)
    theta, omega = Generator(16, 3, latent=6, width=6), Discriminator(16, 3, width=6)
    real, z = torch.rand(5, 3, 16, 16), torch.randn(5, 6)
    *values, found = discriminator_gradient(omega, real, theta(z).detach(), 10.0, 0.5, penalty)
    players = (dict(player.named_parameters()) for player in (theta, omega))
    *wanted, expected = gan_reference.discriminator_gradient(*players, real, z, 10.0, 0.5, penalty)
    assert [float(x) for x in values] == pytest.approx([float(x) for x in wanted], rel=3e-5)
    for (name, g), mine in zip(expected.items(), found, strict=True):
        assert (mine - g).abs().max() <= 3e-5 * g.abs().max(), name


@pytest.mark.parametrize("alternating", [True, False])
@pytest.mark.parametrize(
    "changes",
    [{}, {"mu": 0.0}, {"penalty": "R2", "loss": "saturating", "resolution": 16, "channels": 3}],
)
def test_ten_updates_equal_the_reference_in_float64(alternating, changes):
    c = configuration(precision="float64", alternating=alternating, **changes)
    trainer = Trainer(c)
    players = trainer.generator, trainer.discriminator
    reference = gan_reference.Reference(c, *(dict(p.named_parameters()) for p in players))
    for k in range(10):
        batch = random_pictures(c, k), trainer.draw(), trainer.draw()
        losses, expected = trainer.update(*batch), reference.update(*batch)
        found = losses.generator, losses.discriminator, losses.penalty
        assert [float(x) for x in found] == pytest.approx([float(x) for x in expected], rel=1e-9)
    pairs = zip(players, (reference.theta, reference.omega), strict=True)
    for player, parameters in (
        *pairs,
        *((trainer.averages[b], reference.averages[b]) for b in c.averages),
    ):
        for name, mine in player.named_parameters():
            expected = parameters[name]
            assert (mine - expected).abs().max() <= 1e-9 * expected.abs().max(), name


# Configuration


def test_the_defaults_are_the_papers():
    c = Configuration(tau=4, mu=10)
    assert (c.batch, c.latent, c.resolution, c.width) == (64, 256, 32, 64)
    assert (c.gamma1, c.nu, c.rms_alpha, c.rms_eps) == (1e-4, 0.005, 0.99, 1e-8)
    assert c.averages == (0.99, 0.999, 0.9999)
    assert (c.penalty, c.penalty_factor, c.loss) == ("R1", 1.0, "non-saturating")
    assert c.alternating


def test_rates_decay_slowly_and_keep_their_ratio():
    c = configuration(tau=8.0)
    assert c.rates(0) == (1e-3, 8e-3)
    assert c.rates(149_999) == pytest.approx((1e-3 / 150_000**0.005, 8e-3 / 150_000**0.005))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tau": 0}, r"tau\n.*greater than 0"),
        ({"tau": math.nan}, r"tau\n.*finite"),
        ({"mu": -1}, r"mu\n.*greater than or equal to 0"),
        ({"averages": (1.0,)}, r"averages\.0\n.*less than 1 .*input_value=1.0"),
        ({"averages": ()}, r"averages\n.*at least 1 item"),
        ({"averages": (0.9, 0.9)}, "averages: expected each beta once"),
        ({"updates": 1.5}, r"updates\n.*valid integer"),
        ({"resolution": 20}, "resolution: expected a power of two"),
        ({"penalty": "R3"}, r"penalty\n.*'R1' or 'R2'"),
        ({"precision": "tf32"}, "precision: tf32 needs a CUDA device"),
        ({"device": "abacus"}, "device: expected one of this machine"),
        ({"device": "cuda:99"}, "device: expected one of this machine"),
        ({"tua": 1.0}, r"tua\n.*not permitted"),
    ],
)
def test_wrong_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        configuration(**changes)


# Runs


class Noise:
    """Real pictures for a test: an endless stream that depends on its seed."""

    def __init__(self, c):
        self.shape = (c.batch, c.channels, c.resolution, c.resolution)
        self.random = torch.Generator().manual_seed(c.seed)

    def __next__(self):
        return torch.rand(self.shape, generator=self.random) * 2 - 1

    def state_dict(self):
        return {"random": self.random.get_state()}

    def load_state_dict(self, state):
        self.random.set_state(state["random"])


class Brightness:
    """A score for a test; it can stop a run in the middle."""

    def __init__(self, stop_at=None):
        self.calls, self.stop_at = 0, stop_at

    def score(self, pictures):
        self.calls += 1
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        return {"brightness": float(pictures.mean()), "spread": float(pictures.std())}


def run(folder, c=None, stop_at=None, checkpoint_every=1, **options):
    c = c or configuration()
    trainer = Trainer(c)
    latents = torch.randn(9, c.latent, generator=torch.Generator().manual_seed(0))
    evaluation = Evaluation(Brightness(stop_at), latents, every=4, also_at=[1], pictures_at=[2, 6])
    history = train(
        trainer, Noise(c), evaluation, Checkpoints(folder), checkpoint_every, progress=False
    )
    return trainer, history


def same(a, b):
    """Everything that the next update would depend on, compared bit by bit."""
    first, second = io.BytesIO(), io.BytesIO()
    torch.save(a.state_dict(), first)
    torch.save(b.state_dict(), second)
    return first.getvalue() == second.getvalue()


def test_a_run_is_evaluated_where_it_should_be(tmp_path):
    trainer, history = run(tmp_path)
    assert history.update == [0, 1, 4, 8, 12]
    lengths = {k: {b: len(v) for b, v in by.items()} for k, by in history.scores.items()}
    assert lengths == {name: {"0.9": 5, "0.99": 5} for name in ("brightness", "spread")}
    assert [len(values) for values in history.losses.values()] == [4, 4, 4]
    assert sorted(history.pictures) == [2, 6, 12]
    assert history.pictures[6].shape == (9, 1, 8, 8)
    assert history.pictures[6].dtype == torch.uint8
    assert history.seconds > 0 and trainer.updates == 12
    json.dumps(history.plain(), allow_nan=False)


@pytest.mark.parametrize(("stop_at", "checkpoint_every"), [(2, 1), (5, 3), (7, 1), (9, 3), (9, 5)])
def test_a_stopped_run_ends_bit_for_bit_like_an_undisturbed_one(
    tmp_path, stop_at, checkpoint_every, capsys
):
    whole, expected = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", stop_at=stop_at, checkpoint_every=checkpoint_every)
    resumed, history = run(tmp_path / "parts", checkpoint_every=checkpoint_every)
    assert same(whole, resumed)
    assert history.plain() == expected.plain()
    assert all(torch.equal(history.pictures[k], v) for k, v in expected.pictures.items())
    if history.resumed:
        assert f"Resumed after {history.resumed[0]} updates" in capsys.readouterr().out


def test_a_finished_run_is_not_trained_again(tmp_path):
    first, history = run(tmp_path)
    second, again = run(tmp_path)
    assert same(first, second)
    assert again.plain() == history.plain() and again.seconds == history.seconds


def test_the_seed_decides_the_result_and_leaves_the_global_generator_alone(tmp_path):
    before = torch.random.get_rng_state()
    places = {"a": 3, "b": 3, "c": 4}
    a, b, c = (run(tmp_path / place, configuration(seed=k))[0] for place, k in places.items())
    assert torch.equal(before, torch.random.get_rng_state())
    assert same(a, b)
    assert not torch.equal(a.generator.picture.weight, c.generator.picture.weight)


def test_a_checkpoint_of_older_code_is_read(tmp_path):
    """It holds a player's squares in one vector, in the order of memory."""
    whole, _ = run(tmp_path / "whole", configuration(precision="float64"))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", configuration(precision="float64"), stop_at=7)
    path = sorted((tmp_path / "parts").glob("*.pt"))[-1]
    state = checkpoints.read(path)
    state["trainer"]["squares"] = [
        torch.cat([x.as_strided((x.numel(),), (1,)) for x in parts])
        for parts in state["trainer"]["squares"]
    ]
    path.write_bytes(checkpoints.packed(state))
    resumed, _ = run(tmp_path / "parts", configuration(precision="float64"))
    assert same(whole, resumed)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "other"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path, damage, capsys):
    whole, _ = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", stop_at=7)
    newest = sorted((tmp_path / "parts").glob("*.pt"))[-1]
    data = bytearray(newest.read_bytes())
    if damage == "flip":
        data[-100] ^= 1
    newest.write_bytes({"cut": data[:-50], "flip": data, "empty": b"", "other": b"PK" * 99}[damage])
    resumed, history = run(tmp_path / "parts")
    assert same(whole, resumed)
    assert f"{newest.name} is damaged: passed over" in capsys.readouterr().out
    assert history.resumed


def test_the_two_newest_checkpoints_stay_and_a_full_disk_keeps_them(tmp_path, monkeypatch):
    store = Checkpoints(tmp_path / "new")
    assert store.newest() is None
    for update in (5, 10, 15):
        store.save(update, {"x": update})
    names = ["update-000000010.pt", "update-000000015.pt"]
    assert sorted(path.name for path in store.folder.iterdir()) == names

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"update 20 .*No space left.*update-000000015\.pt"):
        store.save(20, {"x": 20})
    assert sorted(path.name for path in store.folder.iterdir()) == names
    assert store.newest() == {"x": 15}


@pytest.mark.parametrize("damage", [lambda b: b[:-20], lambda b: b[:99] + b"?" + b[100:], None])
def test_what_is_kept_is_made_once_and_again_if_it_is_damaged(damage, tmp_path):
    made = []

    def get(what):
        return checkpoints.kept(tmp_path, "x", {"what": what}, lambda: {"n": made.append(what)})

    get(1)
    get(1)
    assert made == [1]
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()) if damage else b"")
    for what in (1, 2, 1, 2):
        get(what)
    assert made == [1, 1, 2] and len(list(tmp_path.iterdir())) == 2


def test_a_state_of_another_configuration_is_refused(tmp_path):
    run(tmp_path, configuration(tau=2.0))
    with pytest.raises(ValueError, match=r"one in which tau is 2.0 instead of 4.0"):
        run(tmp_path, configuration(tau=4.0))


def test_a_run_that_diverges_stops_and_says_what_to_try(tmp_path):
    message = r"update \d+: .* not finite .* tau = 4, .*smaller gamma1"
    with pytest.raises(DivergedError, match=message):
        run(tmp_path, configuration(gamma1=1e30, mu=1e30))
    kept = Checkpoints(tmp_path).newest()
    for player in kept["trainer"]["players"] if kept else ():
        assert all(torch.isfinite(value).all() for value in player.values())


def test_samples_do_not_depend_on_how_many_are_made_at_once():
    trainer = Trainer(configuration(precision="float64"))
    z = torch.randn(7, 6, dtype=torch.float64)
    torch.testing.assert_close(trainer.samples(0.9, z, batch=3), trainer.samples(0.9, z))


@pytest.mark.parametrize(
    ("name", "value"), [("every", 0), ("also_at", [-1]), ("pictures_at", [1.5])]
)
def test_an_evaluation_out_of_range_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}.*: expected a whole number"):
        Evaluation(**({"scorer": None, "latents": torch.zeros(1, 6), "every": 1} | {name: value}))


KILLED = """
import sys, torch
from pathlib import Path
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[2])
from test_gan_training import configuration, run
trainer, history = run(Path(sys.argv[1]), configuration(updates=120), checkpoint_every=7)
torch.save(trainer.state_dict(), Path(sys.argv[1]) / "end.pth")
"""


def test_a_killed_run_is_taken_up_again_bit_for_bit(tmp_path):
    """kill -9 at any moment, several times, by a real process."""
    whole, parts, here = tmp_path / "whole", tmp_path / "parts", os.path.dirname(__file__)

    def start(folder):
        return subprocess.Popen([sys.executable, "-c", KILLED, folder, here])

    undisturbed, kills = start(whole), 0
    for _ in range(2):
        process, before = start(parts), set(parts.glob("*.pt"))
        while process.poll() is None:
            if set(parts.glob("*.pt")) - before:
                process.kill()
                kills += 1
                break
            time.sleep(0.01)
        process.wait(timeout=60)
    assert kills >= 1
    assert start(parts).wait(timeout=120) == undisturbed.wait(timeout=120) == 0
    assert (whole / "end.pth").read_bytes() == (parts / "end.pth").read_bytes()
    assert not list(parts.glob(".*.tmp"))
