"""Distances between pictures: Fréchet's by several routes, FID on arrays, the digits' own."""

import hashlib
import io
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from taugda.gan import data, distances, features
from taugda.gan.data import DataError, Images
from taugda.gan.distances import Statistics, frechet_distance, quantize, statistics
from taugda.gan.vision import torchvision

pytestmark = pytest.mark.usefixtures("one_thread")


def sample(seed, n, d):
    random = np.random.default_rng(seed)
    mixing = random.standard_normal((d, d)) + 2 * np.eye(d)
    return random.standard_normal((n, d)) @ mixing + random.standard_normal(d)


# Fréchet's distance


@pytest.mark.parametrize("d", [2, 64])
def test_equal_to_pytorch_fids_on_well_conditioned_input(d):
    from pytorch_fid.fid_score import calculate_frechet_distance

    x, y = (sample(seed, 20 * seed + 9, d).astype(np.float32) for seed in (d, d + 1))
    a, b = statistics(x), statistics(y)
    moments = [(z.astype(float).mean(axis=0), np.cov(z, rowvar=False)) for z in (x, y)]
    expected = calculate_frechet_distance(*moments[0], *moments[1])
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_singular_covariances_need_no_correction():
    # Both in the same 4-dimensional subspace of 30: the distance is the one within it.
    small = [sample(seed, 100, 4) for seed in (6, 7)]
    embed, _ = np.linalg.qr(np.random.default_rng(8).standard_normal((30, 4)))
    within = frechet_distance(*(statistics(x) for x in small))
    found = frechet_distance(*(statistics(x @ embed.T) for x in small))
    assert found == pytest.approx(within, rel=1e-6)
    few = frechet_distance(statistics(sample(9, 5, 30)), statistics(sample(10, 6, 30)))
    assert np.isfinite(few) and few > 0
    none, nowhere = np.zeros((2, 2)), np.zeros(2)
    assert frechet_distance(Statistics(nowhere, none), Statistics(np.array([3, 4]), none)) == 25
    found = frechet_distance(Statistics(nowhere, none), Statistics(nowhere, np.eye(2)))
    assert found == pytest.approx(2)


# Latent vectors and eight bits


def test_latents_are_fixed_by_the_seed():
    first, again, other = (distances.fixed_latents(100, 8, seed=seed) for seed in (1, 1, 2))
    assert first.shape == (100, 8) and torch.equal(first, again) and not torch.equal(first, other)
    with pytest.raises(ValueError, match="samples: expected a whole number, at least 1, got 0"):
        distances.fixed_latents(0, 8)


def test_eight_bits_are_reached_by_rounding_as_save_image_does():
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(quantize(every.float() / 127.5 - 1), every)
    x = torch.rand(3, 200, 200, generator=torch.Generator().manual_seed(0)) * 2.2 - 1.1
    x.view(-1)[:255] = (every[1:].float() - 0.5) / 127.5 - 1  # halves
    stored = io.BytesIO()
    torchvision.utils.save_image(x, stored, "PNG", normalize=True, value_range=(-1, 1))
    assert np.array_equal(quantize(x).permute(1, 2, 0), np.asarray(Image.open(stored)))


# The digits' distance


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def trained(digits, cache):
    return features.train_classifier(digits, 0, cache)


def test_the_classifier_is_kept_decided_by_the_seed_and_needs_labels(
    digits, trained, cache, monkeypatch
):
    monkeypatch.setattr(features, "_EPOCHS", 1)  # so that a new one differs
    assert features.train_classifier(digits, 0, cache).digest == trained.digest
    first, again, other = (features.train_classifier(digits, seed).digest for seed in (0, 0, 1))
    assert first == again != other and first != trained.digest
    with pytest.raises(ValueError, match="images: expected pictures with labels, got bare without"):
        features.train_classifier(Images(digits.pixels, 16, "bare", "here"))


@pytest.fixture(scope="module")
def digits_scorer(digits, trained, cache):
    return distances.scorer("digits", digits, count=1797, samples=2000, cache=cache)


def test_the_digits_distance_goes_by_its_own_name(digits, digits_scorer, trained):
    assert digits_scorer.name == "digits distance" and "FID" not in digits_scorer.label
    found = digits_scorer.provenance
    assert trained.accuracy > 0.96 and trained.held_out == 359 and not trained.training
    assert found["data"] == digits.digest and found["classifier"] == trained.digest
    assert 0.3 < found["two_halves"] < 1 < found["one_class_left_out"] < 4
    json.dumps(found)


def test_the_distances_are_a_hundred_times_the_share_of_the_spread(digits, digits_scorer, trained):
    x = digits.pixels.float() / 8 - 1
    made = x.flip(3)[:900]
    found = digits_scorer.score(made)
    features_of = {"digits distance": trained.features, "pixel distance": torch.nn.Flatten()}
    for name, take in features_of.items():
        a, b = (statistics(take(quantize(each) / 127.5 - 1)) for each in (made, x))
        expected = 100 * frechet_distance(a, b) / np.trace(b.covariance)
        assert found[name] == pytest.approx(expected, rel=1e-6)
    assert digits_scorer.score(x) == pytest.approx(dict.fromkeys(found, 0), abs=1e-6)


# What is refused before training


@pytest.mark.parametrize(
    ("distance", "channels", "options", "message"),
    [
        ("cosine", 3, {}, "distance: expected one of digits, .* fid, got 'cosine'"),
        ("pixels", 3, {"count": 3001}, "count: expected from 2 to the 3000 real pictures, got"),
        ("pixels", 3, {"samples": 1}, "samples: expected a whole number, at least 2, got 1"),
        ("digits", 3, {}, "distance: digits is for the data set digits, got 'toy'"),
        ("fid", 1, {}, "distance: fid is for photographs in colour; .* mean nothing on toy"),
        ("fid", 3, {"samples": 2047}, "samples: expected a whole number, at least 2048, got 2047"),
        ("fid", 3, {"count": 2000}, "count: expected from 2048 to the 3000 .* got 2000"),
    ],
)
def test_wrong_scorers_are_refused(distance, channels, options, message):
    images = Images(torch.zeros(3000, channels, 8, 8, dtype=torch.uint8), 255, "toy", "here")
    with pytest.raises(ValueError, match=message):
        distances.scorer(distance, images, **({"count": 2048, "samples": 2048} | options))


# FID


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of random weights in the published format."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = torchvision.models.inception_v3(
            num_classes=1008, aux_logits=False, weights=None, init_weights=False
        )
        for layer in network.modules():
            if isinstance(layer, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(layer.weight)
    path = tmp_path_factory.mktemp("weights") / "pt_inception.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture
def home(weights, tmp_path, monkeypatch):
    """Where torch keeps what it downloads, empty; these weights count as the published ones."""
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    monkeypatch.setattr(features, "_HASH", digest[:8])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "hub" / "checkpoints"


def test_features_and_fid_equal_those_over_picture_files(home, weights, tmp_path):
    from pytorch_fid.fid_score import calculate_frechet_distance, get_activations
    from pytorch_fid.inception import InceptionV3

    network = features.Inception(weights)
    theirs = InceptionV3([3])  # from where the weights were put
    random = torch.Generator().manual_seed(2)
    found, expected = [], []
    for spread in (0.4, 0.7):
        coarse = spread * torch.randn(8, 3, 8, 8, generator=random)
        x = torch.nn.functional.interpolate(coarse, size=32, mode="bilinear")
        found.append(network(quantize(x)))
        files = [tmp_path / f"{spread}-{k}.png" for k in range(8)]
        for each, file in zip(x, files, strict=True):
            torchvision.utils.save_image(each, file, normalize=True, value_range=(-1, 1))
        expected.append(get_activations(files, theirs, 8, num_workers=0))
    for ours, other in zip(found, expected, strict=True):
        assert ours.shape == (8, 2048) and ours.dtype == np.float64 and other.std() > 0.01
        np.testing.assert_allclose(ours, other, rtol=1e-4, atol=1e-5 * other.std())
    # All 2,048 would take pytorch-fid's matrix root minutes; four that vary go the same way.
    four = np.argsort(expected[0].std(axis=0))[-4:]
    ours = frechet_distance(*(statistics(x[:, four]) for x in found))
    pairs = [(x[:, four].mean(axis=0), np.cov(x[:, four], rowvar=False)) for x in expected]
    assert ours == pytest.approx(calculate_frechet_distance(*pairs[0], *pairs[1]), rel=1e-4)


def test_weights_are_fetched_once_or_put_where_torch_looks_for_them(home, weights, monkeypatch):
    asked = []

    def fail(*_, **__):
        raise OSError("network is unreachable")

    def fetch(url, path, hash_prefix):
        asked.append(url)
        shutil.copy(weights, path)

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    advice = r"Put pt_inception-.*-6726825d\.pth into .*checkpoints, or"
    with pytest.raises(DataError, match=rf"cannot fetch .*unreachable\. {advice}"):
        features.Inception()
    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    digests = {features.Inception().digest for _ in range(2)}
    assert digests == {hashlib.sha256(weights.read_bytes()).hexdigest()} and len(asked) == 1
    assert asked[0].startswith("https://") and "pytorch-fid" in asked[0]
    (file,) = home.glob("*.pth")
    file.write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"expected pytorch-fid's file with a SHA-256 .* got"):
        features.Inception()
    assert features.Inception(weights).digest in digests
    assert file.read_bytes() == weights.read_bytes() and len(asked) == 1
    with pytest.raises(FileNotFoundError, match=r"none\.pth"):
        features.Inception(home / "none.pth")


class Stand:
    """Four features in the place of 2,048, so that pictures by the thousand take no time."""

    digest = "stand-in"

    def __call__(self, pictures):
        asked.append(pictures)
        x = pictures.double()
        parts = (x[..., :4], x[..., 4:], x[:, :1], x[..., ::2, :])
        return torch.stack([part.mean((1, 2, 3)) for part in parts], dim=1).numpy()


asked = []  # of every Stand


@pytest.fixture
def photographs(monkeypatch):
    monkeypatch.setattr(features, "Inception", lambda weights, device: Stand())
    asked.clear()
    random = torch.Generator().manual_seed(4)
    pixels = torch.randint(0, 256, (3000, 3, 8, 8), generator=random, dtype=torch.uint8)
    return Images(pixels, 255, "toy", "here")


def fid(images, cache=None, **changes):
    options = {"count": 2100, "samples": 2048, "seed": 0, "flip": True, "noise": 1 / 128}
    return distances.scorer("fid", images, cache=cache, **options | changes)


def test_the_reference_is_a_random_draw_after_the_trainings_preprocessing(photographs):
    found = fid(photographs, flip=False, noise=0.0)
    fid(photographs, noise=0.0)
    fid(photographs, flip=False)
    drawn, flipped, noisy = asked
    assert drawn.shape == (2100, 3, 8, 8) and drawn.dtype == torch.uint8
    whole = {bytes(each.numpy()) for each in photographs.pixels}
    assert len({bytes(each.numpy()) for each in drawn} & whole) == 2100
    assert not torch.equal(drawn, photographs.pixels[:2100])
    mirrored = (flipped == drawn.flip(3)).all(dim=(1, 2, 3))
    assert 0.4 < mirrored.double().mean() < 0.6
    assert set((noisy.int() - drawn.int()).unique().tolist()) == {0, 1}
    assert found.provenance == {
        "data": photographs.digest, "resolution": 8, "real_pictures": 2100, "seed": 0,
        "flip": False, "noise": 0.0, "weights": "stand-in", "features": 2048,
    }  # fmt: skip


@pytest.mark.parametrize("change", [{"count": 2200}, {"seed": 1}, {"flip": False}, {"noise": 0.0}])
def test_the_reference_is_kept_and_not_mixed_up_with_another(change, photographs, tmp_path):
    first, again, other = (fid(photographs, tmp_path, **each) for each in ({}, {}, change))
    files = list(tmp_path.iterdir())
    assert len(asked) == len(files) == 2
    assert all(map(np.array_equal, again.real["FID"], first.real["FID"]))
    assert first.provenance == again.provenance != other.provenance
    for file in files:  # what is damaged is made again
        file.write_bytes(file.read_bytes()[:-20])
    fid(photographs, tmp_path)
    assert len(asked) == 3


def test_the_fid_scorer(photographs):
    scorer = fid(photographs, count=3000, flip=False, noise=0.0)
    assert scorer.name == scorer.label == "FID" and "2,048" in scorer.unit
    same = scorer.score(photographs.pixels.float() / 127.5 - 1)
    dark = scorer.score(photographs.pixels.float() / 255 - 1)
    assert list(same) == ["FID"] and abs(same["FID"]) < 1e-6 < 1 < dark["FID"]
    with pytest.raises(ValueError, match="features: expected at least 2048 samples, got 2047"):
        scorer.score(torch.zeros(2047, 3, 8, 8))
    with pytest.raises(ValueError, match="pictures: expected finite numbers"):
        scorer.score(torch.full((2048, 3, 8, 8), torch.nan))
