"""Fréchet's distance by two routes, scores under their own names, and FID as pytorch-fid has it."""

import numpy as np
import pytest
import torch
from PIL import Image

from taugda.gan.data import load, prepare
from taugda.gan.data.images import Images
from taugda.gan.evaluation import (
    WeightsError,
    fixed_latents,
    frechet_distance,
    inception,
    scorer,
    scorers,
    statistics,
)
from taugda.gan.evaluation.features import train_classifier
from taugda.gan.loop import to_bytes
from taugda.gan.vision import import_torchvision

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# The distance


def normal(mean, covariance):
    return scorers.Statistics(np.asarray(mean, float), np.asarray(covariance, float), 10)


def test_of_one_dimensional_normals():
    """|m - m'|^2 + (s - s')^2."""
    assert frechet_distance(normal([1], [[4]]), normal([4], [[9]])) == pytest.approx(9 + 1)


def test_of_equal_covariances_is_the_means_squared_distance():
    root = RNG.standard_normal((5, 5))
    c = root @ root.T
    assert frechet_distance(normal(np.zeros(5), c), normal(np.ones(5), c)) == pytest.approx(5)


def test_of_commuting_covariances():
    basis = np.linalg.qr(RNG.standard_normal((4, 4)))[0]
    a, b = np.array([1, 2, 3, 4.0]), np.array([9, 0.5, 0, 2])
    found = frechet_distance(*(normal(np.zeros(4), basis * v @ basis.T) for v in (a, b)))
    assert found == pytest.approx(((np.sqrt(a) - np.sqrt(b)) ** 2).sum())


@pytest.mark.parametrize("d", [3, 20, 128])
def test_equals_pytorch_fids(d):
    theirs = import_torchvision("pytorch_fid.fid_score").calculate_frechet_distance
    roots = RNG.standard_normal((2, d, 2 * d))
    a, b = (normal(RNG.standard_normal(d), r @ r.T / d) for r in roots)
    expected = theirs(a.mean, a.covariance, b.mean, b.covariance)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)


def test_is_zero_of_itself_and_finite_where_covariances_are_singular():
    few = statistics(RNG.standard_normal((5, 30)))
    other = statistics(RNG.standard_normal((5, 30)))
    assert 0 <= frechet_distance(few, few) < 1e-5
    assert 0 < frechet_distance(few, other) < np.inf
    nothing = normal(np.zeros(30), np.zeros((30, 30)))
    assert frechet_distance(few, nothing) == pytest.approx(
        few.mean @ few.mean + np.trace(few.covariance)
    )


def test_statistics_are_numpys():
    x = RNG.standard_normal((50, 4)) + 100
    found = statistics(x)
    np.testing.assert_allclose(found.mean, x.mean(0))
    np.testing.assert_allclose(found.covariance, np.cov(x.T))
    assert found.count == 50


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros(5), r"expected shape \(n, d\), got \(5,\)"),
        (np.zeros((1, 5)), "expected at least 2 samples, got 1"),
        (np.full((3, 2), np.nan), "expected finite numbers"),
    ],
)
def test_unusable_features_are_refused(features, message):
    with pytest.raises(ValueError, match=message):
        statistics(features)


def test_features_of_different_dimension_are_refused():
    with pytest.raises(ValueError, match="b: expected features of dimension 2, got 3"):
        frechet_distance(normal(np.zeros(2), np.eye(2)), normal(np.zeros(3), np.eye(3)))


# Latent vectors


def test_fixed_latents_depend_on_the_seed_alone():
    assert torch.equal(fixed_latents(5, 3, 1), fixed_latents(5, 3, 1))
    assert not torch.equal(fixed_latents(5, 3, 1), fixed_latents(5, 3, 2))
    with pytest.raises(ValueError, match="samples: expected a whole number"):
        fixed_latents(0, 3)


# Digits


@pytest.fixture(scope="module")
def digits():
    return load("digits")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def digits_scorer(digits, cache):
    return scorer("digits", digits, count=1797, samples=2000, cache=cache)


def as_pictures(images, chosen=slice(None)):
    return prepare(images.pixels[chosen], images.levels, torch.Generator(), False, 0.0)


def test_the_classifier_knows_the_digits(digits_scorer):
    found = digits_scorer.provenance
    assert found["accuracy"] > 0.96
    assert found["held_out"] == 359
    assert found["features"] == 64


def test_the_real_digits_are_at_no_distance_and_noise_is_far(digits, digits_scorer):
    at_home = digits_scorer.score(as_pictures(digits))
    assert at_home["digits distance"] < 0.01
    assert at_home["pixel distance"] < 0.01
    noise = digits_scorer.score(torch.rand(500, 1, 8, 8) * 2 - 1)
    assert noise["digits distance"] > 50
    found = digits_scorer.provenance
    assert 0 < found["two_halves"] < found["one_class_left_out"] < noise["digits distance"]


def test_a_missing_class_is_seen(digits, digits_scorer):
    without = as_pictures(digits, digits.labels != 3)
    assert digits_scorer.score(without)["digits distance"] > 1


def test_pictures_that_are_not_finite_are_refused(digits, digits_scorer):
    pictures = as_pictures(digits)
    pictures[5, 0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="pictures: expected finite numbers"):
        digits_scorer.score(pictures)


def test_it_is_never_called_fid(digits_scorer):
    assert digits_scorer.name == "digits distance"
    assert "FID" not in digits_scorer.label + digits_scorer.unit


def test_the_classifier_is_the_same_again_and_a_damaged_one_is_trained_anew(digits, tmp_path):
    few = Images(digits.pixels[:200], 16, "digits", "some", digits.labels[:200])
    first = train_classifier(few, cache=tmp_path)
    assert train_classifier(few).digest == first.digest
    assert train_classifier(few, seed=1).digest != first.digest
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    for damaged in (whole[:-100], b"", whole.replace(whole[3000:3040], b"x" * 40)):
        kept.write_bytes(damaged)
        assert train_classifier(few, cache=tmp_path).digest == first.digest
    assert train_classifier(few, cache=tmp_path).accuracy == first.accuracy


def test_other_pictures_have_distances_of_their_own_names(digits):
    pictures = Images(
        digits.pixels[:300].repeat(1, 3, 1, 1), 16, "folder", "x", digits.labels[:300]
    )
    named = scorer("classifier", pictures, count=300, samples=50)
    assert named.name == "classifier distance"
    assert set(named.score(as_pictures(pictures))) == {"classifier distance", "pixel distance"}
    plain = scorer("pixels", Images(pictures.pixels, 16, "folder", "x"), count=200, samples=50)
    assert plain.name == "pixel distance"
    assert "one_class_left_out" not in plain.provenance


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distance": "kid"}, "distance: expected one of digits, classifier, pixels, fid"),
        ({"count": 1}, "count: expected a whole number, at least 2"),
        ({"count": 1798}, "count: expected at most the 1797 real pictures"),
        ({"samples": 1}, "samples: expected a whole number, at least 2"),
        ({"distance": "fid"}, "FID means nothing on digits"),
    ],
)
def test_wrong_scorers_are_refused(digits, options, message):
    given = {"distance": "digits", "count": 10, "samples": 10} | options
    with pytest.raises(ValueError, match=message):
        scorer(given.pop("distance"), digits, **given)


def test_the_digits_distance_is_for_digits(digits):
    other = Images(digits.pixels, 16, "folder", "x", digits.labels)
    with pytest.raises(ValueError, match="digits is for the data set digits, got 'folder'"):
        scorer("digits", other, count=10, samples=10)
    with pytest.raises(ValueError, match="images: expected pictures with labels"):
        scorer("classifier", Images(digits.pixels, 16, "folder", "x"), count=10, samples=10)


# FID: no weights can be fetched here, so both routes get the same random ones


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    module = import_torchvision("pytorch_fid.inception")
    with torch.random.fork_rng(), pytest.MonkeyPatch.context() as patch:
        torch.manual_seed(0)
        patch.setattr(module, "load_state_dict_from_url", lambda *_, **__: None)
        patch.setattr(torch.nn.Module, "load_state_dict", lambda *_: None)
        network = module.fid_inception_v3()
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture
def any_weights(monkeypatch):
    monkeypatch.setattr(inception, "_PREFIX", "")


def rgb(n, size=32, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (n, 3, size, size), np.uint8)
    return Images(torch.from_numpy(pixels), 255, "folder", "random")


def test_features_on_arrays_equal_pytorch_fids_on_png_files(tmp_path, weights, any_weights):
    score = import_torchvision("pytorch_fid.fid_score")
    network, _ = inception.inception(weights)
    real, fake = rgb(10, seed=1), rgb(8, seed=2)
    files, means = [], []
    for name, images in (("real", real), ("fake", fake)):
        (tmp_path / name).mkdir()
        for k, pixels in enumerate(images.pixels):
            Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(tmp_path / name / f"{k:02d}.png")
        files.append(
            score.get_activations(
                sorted((tmp_path / name).iterdir()), network, batch_size=4, num_workers=0
            )
        )
        means.append(inception.inception_features(network)(images.pixels))
    for theirs, ours in zip(files, means, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    a, b = (statistics(x) for x in means)
    c, d = (statistics(x) for x in files)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(c, d), rel=1e-3, abs=1e-3)


def test_fid_compares_with_real_pictures_after_training_preprocessing(
    tmp_path, weights, any_weights, monkeypatch
):
    monkeypatch.setattr(scorers, "DIMENSION", 4)  # few pictures: the network's size is not at stake
    images = rgb(12)
    options = {"count": 9, "samples": 6, "seed": 5, "flip": True, "noise": 1 / 128}
    found = scorer("fid", images, weights=str(weights), cache=tmp_path, **options)
    assert (found.name, found.label) == ("FID", "FID")
    random = torch.Generator().manual_seed(5)
    chosen = torch.randperm(12, generator=random)[:9]
    real = to_bytes(prepare(images.pixels[chosen], 255, random, True, 1 / 128))
    network, digest = inception.inception(weights)
    extract = inception.inception_features(network)
    fake = as_pictures(rgb(6, seed=3))
    expected = frechet_distance(statistics(extract(to_bytes(fake))), statistics(extract(real)))
    assert found.score(fake)["FID"] == pytest.approx(expected, rel=1e-9)
    assert found.provenance["weights"] == digest
    # The statistics are kept with their provenance, and a damaged file is not believed.
    (kept,) = tmp_path.iterdir()
    calls: list[int] = []
    monkeypatch.setattr(scorers, "statistics", lambda x: calls.append(1) or statistics(x))
    scorer("fid", images, weights=str(weights), cache=tmp_path, **options)
    assert calls == []
    kept.write_bytes(b"damaged")
    scorer("fid", images, weights=str(weights), cache=tmp_path, **options)
    assert calls == [1]
    scorer("fid", images, weights=str(weights), cache=tmp_path, **options | {"seed": 6})
    assert calls == [1, 1]


@pytest.mark.parametrize("name", ["count", "samples"])
def test_too_few_pictures_for_fid_are_refused(name):
    given = {"count": 2048, "samples": 2048} | {name: 2047}
    with pytest.raises(ValueError, match=f"{name}: FID on 2048 features expects at least 2048"):
        scorer("fid", rgb(2048, size=8), **given)


def test_other_weights_are_refused(weights):
    with pytest.raises(WeightsError, match="SHA-256 starts with 6726825d, got "):
        inception.inception(weights)


def test_missing_weights_say_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(WeightsError, match="found nothing at"):
        inception.inception(tmp_path / "nothing.pth")

    def fail(*_, **__):
        raise OSError("no network here")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(WeightsError, match=r"could not be fetched \(no network here\); get http"):
        inception.inception()
