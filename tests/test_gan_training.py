"""The image GANs' players, one update of them, and runs that are stopped and taken up again."""

import errno
import json
import math
import os
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from unittest.mock import MagicMock, Mock, call

import gan_reference
import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from taugda.gan import update as gan_update
from taugda.gan.checkpoints import CheckpointError, newest, packed, save
from taugda.gan.configuration import Configuration, arithmetic
from taugda.gan.data import Images
from taugda.gan.loop import Evaluation, train
from taugda.gan.models import Discriminator, Generator, parameter_count
from taugda.gan.update import Captured, DivergedError, Trainer

pytestmark = pytest.mark.usefixtures("one_thread")
configuration = partial(
    Configuration, tau=4.0, mu=10.0, resolution=8, channels=1, width=4, latent=6, batch=5,
    averages=(0.9, 0.99), gamma1=1e-3, penalty_factor=0.5, updates=12,
)  # fmt: skip


def random_pictures(c, seed=1):
    generator = torch.Generator().manual_seed(seed)
    shape = (c.batch, c.channels, c.resolution, c.resolution)
    return torch.rand(shape, generator=generator, dtype=c.dtype) * 2 - 1


# Players


def test_players_have_the_papers_numbers_of_parameters():
    assert parameter_count(Generator()) == parameter_count(Generator(stack=2)) == 4_684_484
    assert parameter_count(Discriminator()) == 2_579_649


@pytest.mark.parametrize("resolution", [8, 64])
def test_players_fit_every_power_of_two_from_eight(resolution):
    pictures = Generator(resolution, 3, latent=5, width=2)(torch.randn(2, 5))
    assert pictures.shape == (2, 3, resolution, resolution)
    assert pictures.abs().max() <= 1
    assert Discriminator(resolution, 3, width=2)(pictures).shape == (2, 1)


# One update


@pytest.mark.parametrize("alternating", [True, False])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mu": 0.0, "rms_bias_correction": True},
        {"warm_up": 7},
        {"penalty": "R2", "loss": "saturating", "resolution": 16, "channels": 3},
    ],
)
def test_ten_updates_equal_the_reference_in_float64(alternating, changes):
    c = configuration(precision="float64", alternating=alternating, **changes)
    trainer = Trainer(c)
    networks = trainer.generator, trainer.discriminator, *trainer.averages.values()
    reference = gan_reference.Reference(c, *(dict(p.named_parameters()) for p in networks[:2]))
    for k in range(10):
        batch = random_pictures(c, k), trainer.draw(), trainer.draw()
        losses, expected = trainer.update(*batch), reference.update(*batch)
        assert [float(x) for x in losses] == pytest.approx([float(x) for x in expected], rel=1e-9)
    expected = *reference.players, *reference.averages
    for network, parameters in zip(networks, expected, strict=True):
        for name, mine in network.named_parameters():
            theirs = parameters[name]
            assert (mine - theirs).abs().max() <= 1e-9 * theirs.abs().max(), name


# Stacks


MEMBERS = [{"tau": 1.0, "mu": 1.0, "seed": 5}, {"tau": 8.0}, {"tau": 32.0, "seed": 7}]


def test_the_layout_in_memory_changes_an_update_by_rounding_alone(monkeypatch):
    c = configuration(precision="float64")
    real, ends = random_pictures(c), []
    for layout in (torch.channels_last, torch.contiguous_format):
        monkeypatch.setattr(gan_update, "LAYOUT", layout)
        trainer = Trainer(c)
        for _ in range(5):
            trainer.update(real, trainer.draw(), trainer.draw())
        weight = trainer.discriminator.picture.weight
        assert weight.is_contiguous(memory_format=layout)
        ends.append(trainer.state_dicts()[0]["parts"][0])
    assert_close(*ends, rtol=1e-9, atol=1e-12)


class Recorded(Captured):
    """Captures as CUDA does, on the CPU: a list of operations with their numbers, done again."""

    def __init__(self, trainer):
        super().__init__(trainer._steps_of_both, warm_up=0)
        self.trainer = trainer

    def _record(self):
        t = self.trainer
        networks = t.generator, t.discriminator, *t.averages.values()
        held = [x for network in networks for x in network.state_dict().values()]
        held += [x for steps in t._steps for x in steps.squares]
        before = [tensor.clone() for tensor in held]
        operations = make_fx(lambda *given: self.function(*given))(*self._inputs)
        for tensor, value in zip(held, before, strict=True):  # a capture computes nothing
            tensor.copy_(value)
        outputs = torch.zeros(3, len(self.trainer.configurations), dtype=torch.float64).unbind()

        def replay():
            for mine, found in zip(outputs, operations(*self._inputs), strict=True):
                mine.copy_(found)

        return replay, outputs


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"alternating": False, "penalty": "R2", "rms_bias_correction": True, "warm_up": 5},
    ],
)
def test_a_captured_update_is_the_update_bit_for_bit(changes):
    """Rates that decay, averages, order, start: nothing of one update is frozen into the next."""
    some = [configuration(**member, **changes, precision="float64") for member in MEMBERS]
    plain, captured = Trainer(*some), Trainer(*some)
    for k in range(9):
        if k == 2:
            captured._play = Recorded(captured)
        batch = torch.cat([random_pictures(c, k) for c in some], 1), plain.draw(), plain.draw()
        assert_close(captured.update(*batch), plain.update(*batch), rtol=0, atol=0)
    ends = ([trainer._parts(k) for k in range(len(some))] for trainer in (captured, plain))
    assert_close(*ends, rtol=0, atol=0)


def test_a_capture_is_of_the_stream_of_its_first_calls_and_of_their_device(monkeypatch):
    """What CUDA asks for, seen without it: one stream of the tensors' device, waiting both ways."""
    cuda, device = Mock(stream=MagicMock(), graph=MagicMock()), torch.device("cpu")
    for name in ("Stream", "CUDAGraph", "current_stream", "stream", "graph"):
        monkeypatch.setattr(torch.cuda, name, getattr(cuda, name))
    doubled = Captured(lambda x: (2 * x,), warm_up=2)
    for k in range(4):
        doubled(torch.tensor([float(k)]))
    mine, present = cuda.Stream.return_value, cuda.current_stream.return_value
    graph, leave = cuda.CUDAGraph.return_value, (None, None, None)
    plain = [
        call.current_stream(device), call.Stream().wait_stream(present), call.stream(mine),
        call.stream().__enter__(), call.stream().__exit__(*leave),
        call.current_stream().wait_stream(mine),
    ]  # fmt: skip
    captured = [
        call.CUDAGraph(), call.graph(graph, stream=mine), call.graph().__enter__(),
        call.graph().__exit__(*leave),
    ]  # fmt: skip
    replayed = [call.CUDAGraph().replay()] * 2
    assert cuda.mock_calls == [call.Stream(device), *plain, *plain, *captured, *replayed]


def test_training_waits_for_the_device_only_where_it_looks(tmp_path, monkeypatch):
    """On a GPU each of these would wait for all work that was given to it."""
    operations = "_local_scalar_dense", "nonzero", "is_nonzero", "equal", "item"
    done, waited = [0], set()

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            if operation.overloadpacket.__name__ in operations:
                waited.add(done[0])
            return operation(*args, **(kwargs or {}))

    def watched(method):
        def watching(*given, **options):
            waited.add(done[0])
            return method(*given, **options)

        return watching

    for name in ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__"):
        monkeypatch.setattr(torch.Tensor, name, watched(getattr(torch.Tensor, name)))

    def update(trainer, *batch, plain=Trainer.update):
        losses = plain(trainer, *batch)
        done[0] = trainer.updates
        return losses

    monkeypatch.setattr(Trainer, "update", update)
    evaluation = Evaluation(Brightness(), torch.randn(9, 6), every=60)
    c = configuration(updates=130, flip=True, noise=0.1)
    with Watch():
        train(c, PICTURES, evaluation, tmp_path, 130, [(MEMBERS[0], tmp_path / "1")])
    assert waited == {0, 60, 100, 120, 130}


@pytest.mark.parametrize("precision", ["float32", "tf32"])
def test_tf32_is_used_where_it_is_asked_for_and_only_there(precision):
    places = torch.backends.cuda.matmul, torch.backends.cudnn.conv
    before = [place.fp32_precision for place in places]
    with arithmetic(precision):
        expected = "tf32" if precision == "tf32" else "ieee"
        assert [place.fp32_precision for place in places] == [expected] * 2
    assert [place.fp32_precision for place in places] == before


# Configuration


def test_the_defaults_are_the_papers():
    c = Configuration(tau=4, mu=10)
    assert (c.batch, c.latent, c.resolution, c.width) == (64, 256, 32, 64)
    assert (c.gamma1, c.nu, c.rms_alpha, c.rms_eps) == (1e-4, 0.005, 0.99, 1e-8)
    assert c.averages == (0.99, 0.999, 0.9999)
    assert (c.penalty, c.penalty_factor, c.loss) == ("R1", 1.0, "non-saturating")
    assert c.alternating


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tau": 0}, "tau: expected numbers greater than 0, got 0"),
        ({"tau": math.nan}, "tau: expected finite"),
        ({"mu": -1}, "mu: expected numbers at least 0"),
        ({"averages": (1.0,)}, r"averages: expected a number in \[0, 1\), got 1.0"),
        ({"averages": ()}, "averages: expected each beta once"),
        ({"averages": (0.9, 0.9)}, "averages: expected each beta once"),
        ({"updates": 1.5}, "updates: expected a whole number"),
        ({"resolution": 4}, "resolution: expected a whole number, at least 8, got 4"),
        ({"resolution": 20}, "resolution: expected a power of two"),
        ({"penalty": "R3"}, "penalty: expected one of .'R1', 'R2'., got 'R3'"),
        ({"precision": "tf32"}, "precision: tf32 needs a CUDA device"),
        ({"device": "abacus"}, "device: expected one of this machine"),
        ({"device": "cuda:99"}, "device: expected one of this machine"),
        ({"flip": 1}, "flip: expected one of .True, False., got 1"),
        ({"width": 8}, "expected them to differ in tau, mu, seed alone"),
        ({"every": 0}, "every: expected a whole number"),
        ({"also_at": [-1]}, "also_at.*: expected a whole number"),
        ({"pictures_at": [1.5]}, "pictures_at: expected a whole number"),
        ({"spectrum_at": [0]}, "spectrum_at: expected a whole number, at least 1"),
    ],
)
def test_wrong_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        if changes.keys() & {"every", "also_at", "pictures_at", "spectrum_at"}:
            Evaluation(None, torch.zeros(1, 6), **({"every": 1} | changes))
        else:
            Trainer(configuration(), configuration(**changes))


# Runs


PICTURES = Images(
    torch.randint(0, 17, (40, 1, 8, 8), generator=torch.Generator().manual_seed(2)).to(torch.uint8),
    16, "digits", "random pictures",
)  # fmt: skip


class Brightness:
    """A score for a test; it can stop a run in the middle."""

    def __init__(self, stop_at=None):
        self.calls, self.stop_at = 0, stop_at

    def score(self, pictures):
        self.calls += 1
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        return {"brightness": float(pictures.mean()), "spread": float(pictures.std())}


def run(folder, c=None, stop_at=None, checkpoint_every=1, beside=()):
    c = c or configuration()
    latents = torch.randn(9, c.latent, generator=torch.Generator().manual_seed(0))
    evaluation = Evaluation(Brightness(stop_at), latents, every=4, also_at=[1], pictures_at=[2, 6])
    pictures = replace(PICTURES, pixels=PICTURES.pixels.repeat(1, c.channels, 1, 1))
    return train(c, pictures, evaluation, folder, checkpoint_every, beside)


def end(folder):
    """The last checkpoint's state, which holds all that another update would depend on."""
    (state,) = newest([folder])
    return state


def same(a, b):
    """Two runs' last states, compared bit by bit."""
    return packed(end(a)["trainer"]) == packed(end(b)["trainer"])


def test_a_run_is_evaluated_where_it_should_be(tmp_path):
    history = run(tmp_path)
    assert history.update == [0, 1, 4, 8, 12]
    lengths = {k: {b: len(v) for b, v in by.items()} for k, by in history.scores.items()}
    assert lengths == {name: {"0.9": 5, "0.99": 5} for name in ("brightness", "spread")}
    assert [len(values) for values in history.losses.values()] == [4, 4, 4]
    assert sorted(history.pictures) == [2, 6, 12]
    assert history.pictures[6].shape == (9, 1, 8, 8)
    assert history.pictures[6].dtype == torch.uint8
    assert history.seconds > 0 and end(tmp_path)["trainer"]["updates"] == 12
    json.dumps(history.plain(), allow_nan=False)


@pytest.mark.parametrize(
    ("stop_at", "checkpoint_every", "damage"),
    [
        (2, 1, None),
        (5, 3, None),
        (9, 5, None),
        (7, 1, lambda data: data[:-50]),
        (7, 1, lambda data: data[:-100] + b"?" + data[-99:]),
        (7, 1, lambda data: b""),
        (7, 1, lambda data: b"PK" * 99),
    ],
)
def test_a_stopped_run_ends_bit_for_bit_like_an_undisturbed_one(
    tmp_path, stop_at, checkpoint_every, damage, capsys
):
    """And where the newest checkpoint is damaged, by the one before."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    expected = run(whole)
    with pytest.raises(KeyboardInterrupt):
        run(parts, stop_at=stop_at, checkpoint_every=checkpoint_every)
    there = sorted(parts.glob("*.pt"))
    if damage:
        there[-1].write_bytes(damage(there[-1].read_bytes()))
    history = run(parts, checkpoint_every=checkpoint_every)
    assert same(whole, parts)
    assert history.plain() == expected.plain()
    assert all(torch.equal(history.pictures[k], v) for k, v in expected.pictures.items())
    said = capsys.readouterr().out
    assert (f"{there[-1].name} is damaged: passed over" in said) if damage else "dam" not in said
    assert bool(history.resumed) is bool(there)
    assert not there or f"Resumed after {history.resumed[0]} updates" in said


def test_the_seed_decides_the_result_and_leaves_the_global_generator_alone(tmp_path):
    before = torch.random.get_rng_state()
    for place, seed in {"a": 3, "b": 3, "c": 4}.items():
        run(tmp_path / place, configuration(seed=seed))
    assert torch.equal(before, torch.random.get_rng_state())
    assert same(tmp_path / "a", tmp_path / "b") and not same(tmp_path / "a", tmp_path / "c")


def test_the_two_newest_checkpoints_stay_and_a_full_disk_keeps_them(tmp_path, monkeypatch):
    folder = tmp_path / "new"
    assert newest([folder]) is None
    for update in (5, 10, 15):
        save(folder, update, {"x": update})
    names = ["update-000000010.pt", "update-000000015.pt"]
    assert sorted(path.name for path in folder.iterdir()) == names

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"update 20 .*No space left.*update-000000015\.pt"):
        save(folder, 20, {"x": 20})
    assert sorted(path.name for path in folder.iterdir()) == names
    assert newest([folder]) == [{"x": 15}]


def test_a_state_of_another_configuration_is_refused(tmp_path):
    run(tmp_path, configuration(tau=2.0))
    with pytest.raises(ValueError, match=r"one in which tau is 2.0 instead of 4.0"):
        run(tmp_path, configuration(tau=4.0))


def test_a_run_that_diverges_stops_and_says_what_to_try(tmp_path):
    message = r"update \d+: .* not finite .* tau = 4, .*smaller gamma1"
    with pytest.raises(DivergedError, match=message):
        run(tmp_path, configuration(gamma1=1e30, mu=1e30))
    for state in newest([tmp_path]) or ():
        for part in state["trainer"]["parts"][:2]:  # the players
            assert all(torch.isfinite(value).all() for value in part.values())


def members(folder):
    return [(member, folder / f"{number}") for number, member in enumerate(MEMBERS, start=1)]


@pytest.mark.parametrize("changes", [{}, {"penalty": "R2", "alternating": False, "channels": 3}])
def test_gans_that_are_trained_beside_another_are_those_alone(tmp_path, changes, capsys):
    """In what was measured, and in all that further updates depend on; they find their end."""
    c = configuration(precision="float64", updates=48, **changes)
    assert run(tmp_path / "0", c, beside=members(tmp_path)).together == 4
    for member, folder in members(tmp_path):
        before = sorted(folder.iterdir())
        history = run(folder, replace(c, **member))
        assert sorted(folder.iterdir()) == before and history.together == 4
        assert history.update == [0, 1, *range(4, 49, 4)] and history.resumed == []
        alone = run(folder / "alone", replace(c, **member))
        assert_close(history.scores, alone.scores, rtol=0, atol=1e-9)
        assert_close(history.losses, alone.losses, rtol=1e-9, atol=1e-12)
        mine, theirs = (end(place)["trainer"] for place in (folder, folder / "alone"))
        assert mine["configuration"] == theirs["configuration"]
        assert torch.equal(mine["random"], theirs["random"])
        assert_close(mine["parts"], theirs["parts"], rtol=1e-6, atol=1e-9)
    assert "Resumed" not in capsys.readouterr().out


@pytest.mark.parametrize("lost", [None, "update-000000005.pt"])
def test_a_stopped_stack_ends_bit_for_bit_like_an_undisturbed_one(tmp_path, lost):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    expected = run(whole / "0", beside=members(whole), checkpoint_every=5)
    with pytest.raises(KeyboardInterrupt):
        run(parts / "0", beside=members(parts), checkpoint_every=5, stop_at=31)
    if lost:  # as if it had been killed between two of the GANs
        (parts / "2" / lost).unlink()
    history = run(parts / "0", beside=members(parts), checkpoint_every=5)
    assert history.plain() == expected.plain() and history.resumed in ([], [5])
    assert all(same(whole / name, parts / name) for name in "0123")


def test_one_that_diverges_leaves_the_others_of_its_stack_alone(tmp_path):
    bad = [({"tau": 1e33}, tmp_path / "bad"), ({"tau": -1.0}, tmp_path / "wrong")]
    c = configuration(updates=220)
    history = run(tmp_path / "good", c, beside=bad, checkpoint_every=50)
    assert history.together == 2 and history.update[-1] == 220 and not history.diverged
    assert all(v == v for by in history.scores["brightness"].values() for v in by)
    with pytest.raises(DivergedError, match=r"not finite .* tau = 1e\+33"):
        run(tmp_path / "bad", configuration(updates=220, **bad[0][0]), checkpoint_every=50)


def test_samples_do_not_depend_on_how_many_are_made_at_once(monkeypatch):
    trainer = Trainer(configuration(precision="float64"))
    z = torch.randn(7, 6, dtype=torch.float64)
    whole = trainer.samples(0.9, z)
    monkeypatch.setattr(gan_update, "_AT_ONCE", 3)
    assert_close(trainer.samples(0.9, z), whole)


KILLED = """
import sys, torch
from pathlib import Path
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[2])
from test_gan_training import configuration, run
run(Path(sys.argv[1]), configuration(updates=120), checkpoint_every=7)
"""


def test_a_killed_run_is_taken_up_again_bit_for_bit(tmp_path):
    """kill -9 at any moment, several times, by a real process."""
    whole, parts, here = tmp_path / "whole", tmp_path / "parts", os.path.dirname(__file__)

    def start(folder):
        return subprocess.Popen([sys.executable, "-c", KILLED, folder, here])

    undisturbed, kills = start(whole), 0
    for _ in range(2):
        process, before = start(parts), set(parts.glob("*.pt"))
        while process.poll() is None and set(parts.glob("*.pt")) <= before:
            time.sleep(0.01)
        kills += process.poll() is None
        process.kill()
        process.wait(timeout=60)
    assert kills >= 1
    assert start(parts).wait(timeout=120) == undisturbed.wait(timeout=120) == 0
    assert same(whole, parts)
    assert not list(parts.glob(".*.tmp"))
