"""The spectrum of the image GANs' game, on a net of width 2, against three other routes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_gan_training import PICTURES, Brightness
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.testing import assert_close

from taugda.gan import gradients, spectrum
from taugda.gan.configuration import Configuration
from taugda.gan.loop import Evaluation, train
from taugda.gan.update import Trainer

C = Configuration(
    tau=4.0, mu=3.0, penalty_factor=0.5, resolution=8, channels=1, latent=3, width=2, batch=5,
    precision="float64", gamma1=1e-3, averages=(0.9,), updates=3,
)  # fmt: skip
BARE = None, None


@pytest.fixture(scope="module")
def setting():
    torch.manual_seed(0)
    generator, discriminator, _ = Trainer(C).alone(0)
    real = torch.randn(5, 1, 8, 8, dtype=torch.float64)
    return generator, discriminator, real, torch.randn(5, 3, dtype=torch.float64)


def game_of(setting, c=C, denominators=BARE):
    return spectrum.local_game(c, *setting[:2], denominators, *setting[2:])


def flat(tensors):
    return torch.cat([t.detach().reshape(-1) for t in tensors]).numpy()


@pytest.mark.parametrize("penalty", ["R1", "R2"])
@pytest.mark.parametrize("loss", ["saturating", "non-saturating"])
def test_the_gradient_is_that_of_the_trainers_own_passes(setting, loss, penalty):
    generator, discriminator, real, z = setting
    c = replace(C, loss=loss, penalty=penalty)
    game = game_of(setting, c)
    _, first = gradients.generator_gradient(generator, discriminator, z, loss)
    *_, second = gradients.discriminator_gradient(
        discriminator, real, generator(z).detach(), c.mu, c.penalty_factor, penalty
    )
    expected = flat([*first, *second])
    assert np.abs(game.gradient - expected).max() < 1e-14 * np.abs(expected).max()


def test_products_are_differences_of_the_gradient(setting):
    game = game_of(setting)
    direction = np.random.default_rng(0).standard_normal(game.n1 + game.n2)
    product = game.jacobian(1.0) @ direction
    parameters = [p for player in setting[:2] for p in player.parameters()]
    here, size, ends = parameters_to_vector(parameters).detach(), 1e-7, []
    for sign in (1, -1, 0):  # there, to the other side, and back
        vector_to_parameters(here + sign * size * torch.from_numpy(direction), parameters)
        ends.append(game_of(setting).gradient)
    difference = (ends[0] - ends[1]) / (2 * size)
    assert np.linalg.norm(product - difference) < 1e-6 * np.linalg.norm(product)


def test_eigenvalues_are_those_of_the_dense_preconditioned_jacobian(setting):
    generator, discriminator, *batch = setting
    rng = torch.Generator().manual_seed(1)
    p1, p2 = (
        [torch.rand(p.shape, generator=rng, dtype=torch.float64) + 0.1 for p in player.parameters()]
        for player in (generator, discriminator)
    )
    tau, gamma1 = C.tau, C.rate(7)
    found = spectrum.spectrum(C, generator, discriminator, (p1, p2), *batch, updates=7)
    game = game_of(setting)
    j = np.stack([game.jacobian(1.0) @ e for e in np.eye(game.n1 + game.n2)], axis=1)
    n1, p = game.n1, flat([*p1, *p2])
    a22 = j[n1:, n1:]
    assert np.abs(a22 - a22.T).max() < 1e-13 * np.abs(a22).max()
    assert found["sharpness"] == pytest.approx(np.linalg.eigvalsh(a22)[-1], rel=1e-7)
    scaled = a22 / np.sqrt(p[n1:, None] * p[None, n1:])
    edge = tau * gamma1 * np.linalg.eigvalsh(scaled)[-1]
    assert found["edge"] == pytest.approx(edge, rel=1e-7)
    own = np.linalg.eigvals(j[:n1, :n1] / p[:n1, None]).real.max()
    assert found["generator_edge"] == pytest.approx(gamma1 * own, rel=1e-6)
    j[n1:] *= tau
    modes = gamma1 * np.linalg.eigvals(j / p[:, None])
    expected = np.sort(np.abs(modes))[::-1][:6]
    size = np.hypot(found["modes_real"], found["modes_imaginary"])
    np.testing.assert_allclose(size, expected, rtol=1e-6)
    np.testing.assert_allclose(
        found["factors"], np.hypot(1 - np.array(found["modes_real"]), found["modes_imaginary"])
    )


@pytest.mark.parametrize("corrected", [False, True])
def test_a_gan_of_a_stack_is_looked_at_as_if_it_were_alone(corrected):
    several = [replace(C, tau=tau, rms_bias_correction=corrected) for tau in (1.0, 4.0)]
    stack, alone = Trainer(*several), Trainer(several[1])
    real = torch.rand(5, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        stack.update(torch.cat([real, real], 1), stack.draw(), stack.draw())
        alone.update(real, alone.draw(), alone.draw())
    z = alone.draw()
    found, expected = (
        spectrum.spectrum(several[1], *trainer.alone(number), real, z, updates=3)
        for trainer, number in ((stack, 1), (alone, 0))
    )
    assert_close(found, expected, rtol=1e-6, atol=1e-12)
    # What the next step divides by is what the last one did: here, by hand from the squares.
    squares = alone.state_dicts()[0]["parts"][-1]
    share = 1 - C.rms_alpha**3 if corrected else 1.0
    _, _, (_, denominators) = alone.alone(0)
    for square, denominator in zip(squares.values(), denominators, strict=True):
        torch.testing.assert_close(denominator, (square / share).sqrt() + C.rms_eps)


def test_looking_at_the_spectrum_changes_no_run_and_survives_a_stop(tmp_path):
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    c = replace(C, precision="float32")  # whose eigenvalues are asked for roughly

    def run(name, spectrum_at, stop_at=None):
        evaluation = Evaluation(Brightness(stop_at), z, every=1, spectrum_at=spectrum_at)
        return train(c, PICTURES, evaluation, tmp_path / name, 1)

    plain, watched = run("plain", ()), run("watched", (1, 3))
    assert plain.plain() == watched.plain()
    assert (plain.spectra, list(watched.spectra)) == ({}, [1, 3])
    with pytest.raises(KeyboardInterrupt):
        run("stopped", (1, 3), stop_at=3)
    resumed = run("stopped", (1, 3))
    assert resumed.resumed
    for found in (*watched.spectra.values(), *resumed.spectra.values()):
        assert found.pop("seconds") > 0
    assert_close(resumed.spectra, watched.spectra, rtol=1e-9, atol=0)
