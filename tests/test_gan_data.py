"""Data sets in their real formats, preprocessing, and batches that can be taken up again."""

import hashlib
import io
import pickle
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from taugda.gan.data import Batches, DataError, load, prepare
from taugda.gan.data import images as images_module
from taugda.gan.data import pictures as pictures_module
from taugda.gan.vision import import_torchvision

RNG = np.random.default_rng(0)


def picture(h=40, w=50, mode="RGB"):
    shape = (h, w) if mode == "L" else (h, w, len(mode))
    return Image.fromarray(RNG.integers(0, 256, shape, np.uint8), mode=mode)


def encoded(image, form):
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


# torchvision


def test_torchvision_can_be_imported_whatever_torch_is_installed():
    code = (
        "from taugda.gan.vision import import_torchvision as get\n"
        "assert get('torchvision.transforms').CenterCrop and get('pytorch_fid.inception')\n"
        "import torchvision; print(torchvision.__version__)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("0.")


# Digits


def test_digits_are_scikit_learns_exactly():
    from sklearn.datasets import load_digits

    found = load("digits")
    assert found.pixels.shape == (1797, 1, 8, 8)
    assert found.pixels.dtype == torch.uint8
    assert found.levels == found.pixels.max() == 16
    expected = load_digits()
    np.testing.assert_array_equal(found.pixels[:, 0].numpy(), expected.images)
    np.testing.assert_array_equal(found.labels.numpy(), expected.target)
    assert load("digits").digest == found.digest


@pytest.mark.parametrize("resolution", [16, 9, 7])
def test_digits_have_one_resolution(resolution):
    with pytest.raises(ValueError, match="resolution: the digits have 8"):
        load("digits", resolution=resolution)


def test_unknown_data_sets_are_refused_with_what_was_meant():
    with pytest.raises(ValueError, match=r"name: expected one of digits.*'cifar10'\?"):
        load("cifar-10")


@pytest.mark.parametrize("name", ["cifar10", "celeba", "folder"])
def test_the_others_need_a_path(name):
    with pytest.raises(DataError, match=f"path: {name} needs the place"):
        load(name)


# CIFAR-10, in an archive of its format with ten pictures a batch


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    datasets = import_torchvision("torchvision.datasets")
    data, labels, files = [], [], {}
    for k in range(1, 6):
        rows = RNG.integers(0, 256, (10, 3072), np.uint8)
        classes = RNG.integers(0, 10, 10).tolist()
        files[f"data_batch_{k}"] = pickle.dumps({"data": rows, "labels": classes})
        data.append(rows)
        labels += classes
    files["test_batch"] = pickle.dumps({"data": data[0], "labels": labels[:10]})
    files["batches.meta"] = pickle.dumps({"label_names": [str(k) for k in range(10)]})
    place = tmp_path / "cifar"
    place.mkdir()
    with tarfile.open(place / "cifar-10-python.tar.gz", "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    kind = datasets.CIFAR10
    whole = (place / "cifar-10-python.tar.gz").read_bytes()
    monkeypatch.setattr(kind, "tgz_md5", hashlib.md5(whole).hexdigest())
    monkeypatch.setattr(
        kind, "train_list", [(f"data_batch_{k}", md5[f"data_batch_{k}"]) for k in range(1, 6)]
    )
    monkeypatch.setattr(kind, "test_list", [("test_batch", md5["test_batch"])])
    monkeypatch.setattr(
        kind, "meta",
        {"filename": "batches.meta", "key": "label_names", "md5": md5["batches.meta"]},
    )  # fmt: skip
    return place, np.concatenate(data), labels


def test_cifar10_is_read_from_its_archive(cifar):
    place, rows, labels = cifar
    found = load("cifar10", path=place)
    np.testing.assert_array_equal(found.pixels.numpy(), rows.reshape(-1, 3, 32, 32))
    assert found.labels.tolist() == labels
    assert found.levels == 255
    # Unpacked, the archive is needed no more.
    (place / "cifar-10-python.tar.gz").unlink()
    assert load("cifar10", path=place).digest == found.digest


def test_cifar10_is_resized_where_asked(cifar):
    place, rows, _ = cifar
    found = load("cifar10", path=place, resolution=16)
    assert found.pixels.shape == (50, 3, 16, 16)
    transforms = import_torchvision("torchvision.transforms")
    first = Image.fromarray(rows[0].reshape(3, 32, 32).transpose(1, 2, 0))
    expected = np.asarray(transforms.Resize(16)(first)).transpose(2, 0, 1)
    np.testing.assert_array_equal(found.pixels[0].numpy(), expected)


def test_a_damaged_cifar10_archive_is_named(cifar):
    archive = cifar[0] / "cifar-10-python.tar.gz"
    archive.write_bytes(archive.read_bytes()[:-5])
    with pytest.raises(DataError, match=r"cifar-10-python\.tar\.gz is damaged.*MD5"):
        load("cifar10", path=cifar[0])


def test_missing_cifar10_says_what_to_place_where(tmp_path):
    with pytest.raises(DataError, match=r"Place cifar-10-python\.tar\.gz \(MD5 c58f30108f71"):
        load("cifar10", path=tmp_path)


def test_a_download_that_fails_says_so(tmp_path, monkeypatch):
    module = import_torchvision("torchvision.datasets.cifar")

    def fail(*_, **__):
        raise OSError("no network here")

    monkeypatch.setattr(module, "download_and_extract_archive", fail)
    with pytest.raises(DataError, match=r"\(no network here\)\. Place cifar-10-python"):
        load("cifar10", path=tmp_path, download=True)


# CelebA


def test_celeba_is_read_from_its_folder_or_zip_without_label_files(tmp_path):
    faces = {f"{k:06d}.jpg": encoded(picture(218, 178), "JPEG") for k in (2, 1, 3)}
    folder = tmp_path / "a" / "img_align_celeba"
    folder.mkdir(parents=True)
    for name, content in faces.items():
        (folder / name).write_bytes(content)
    (tmp_path / "b" / "celeba").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "b" / "celeba" / "img_align_celeba.zip", "w") as archive:
        for name, content in faces.items():
            archive.writestr(f"img_align_celeba/{name}", content)
    found = load("celeba", path=tmp_path / "a", resolution=32)
    assert found.pixels.shape == (3, 3, 32, 32)
    assert load("celeba", path=tmp_path / "b", resolution=32).digest == found.digest
    assert load("celeba", path=folder, resolution=32).digest == found.digest
    transforms = import_torchvision("torchvision.transforms")
    steps = transforms.Compose([transforms.Resize(32), transforms.CenterCrop(32)])
    first = steps(Image.open(folder / "000001.jpg").convert("RGB"))
    np.testing.assert_array_equal(found.pixels[0].numpy(), np.asarray(first).transpose(2, 0, 1))


def test_missing_celeba_says_what_to_place_where(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"Place img_align_celeba\.zip there, or the folder"):
        load("celeba", path=tmp_path)
    datasets = import_torchvision("torchvision.datasets")

    def fail(*_, **__):
        raise RuntimeError("quota exceeded.\nmore")

    monkeypatch.setattr(datasets, "CelebA", fail)
    with pytest.raises(DataError, match=r"\(quota exceeded\)\. Place img_align_celeba"):
        load("celeba", path=tmp_path / "new", download=True)


# Folders


def test_folders_and_zips_of_any_pictures_are_the_same(tmp_path):
    files = {
        "cats/b.png": encoded(picture(9, 30), "PNG"),
        "cats/a.jpg": encoded(picture(64, 20), "JPEG"),
        "dogs/c.png": encoded(picture(12, 12, "L"), "PNG"),
        "dogs/d.PNG": encoded(picture(8, 8, "RGBA"), "PNG"),
    }
    for name, content in files.items():
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "pictures" / "notes.txt").write_text("no picture")
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for name, content in reversed(files.items()):
            archive.writestr(name, content)
        archive.writestr("__MACOSX/cats/._b.png", b"?")
    found = load("folder", path=tmp_path / "pictures", resolution=8)
    zipped = load("folder", path=tmp_path / "pictures.zip", resolution=8)
    assert found.pixels.shape == (4, 3, 8, 8)
    assert torch.equal(found.pixels, zipped.pixels)
    assert found.labels.tolist() == [0, 0, 1, 1]
    grey = found.pixels[2]
    assert torch.equal(grey[0], grey[1]) and torch.equal(grey[0], grey[2])


def test_pictures_without_class_folders_have_no_labels(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(picture(), "PNG"))
    assert load("folder", path=tmp_path, resolution=8).labels is None


def test_an_unreadable_picture_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("good.png", encoded(picture(), "PNG"))
        archive.writestr("sub/bad.png", encoded(picture(), "PNG")[:60])
    with pytest.raises(DataError, match=r"sub/bad\.png cannot be read as a picture"):
        load("folder", path=tmp_path / "x.zip", resolution=8)


def test_empty_missing_and_damaged_sources_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.zip").write_bytes(b"PK but no zip")
    for name, message in (
        ("empty", "holds no pictures"),
        ("nothing", "found nothing at"),
        ("bad.zip", "no folder and no whole zip"),
    ):
        with pytest.raises(DataError, match=message):
            load("folder", path=tmp_path / name, resolution=8)
    with pytest.raises(ValueError, match="resolution: expected a power of two"):
        load("folder", path=tmp_path / "empty", resolution=20)


def test_many_decoded_pictures_are_kept_and_checked(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures_module, "_WORTH_KEEPING", 2)
    for k in range(3):
        (tmp_path / f"{k}.png").write_bytes(encoded(picture(), "PNG"))
    cache = tmp_path / "kept"
    first = load("folder", path=tmp_path, resolution=8, cache=cache)
    (kept,) = cache.iterdir()
    monkeypatch.setattr(pictures_module, "_decode_all", lambda *_: pytest.fail("decoded again"))
    assert torch.equal(
        load("folder", path=tmp_path, resolution=8, cache=cache).pixels, first.pixels
    )
    monkeypatch.undo()
    monkeypatch.setattr(pictures_module, "_WORTH_KEEPING", 2)
    kept.write_bytes(kept.read_bytes()[:-99])
    assert torch.equal(
        load("folder", path=tmp_path, resolution=8, cache=cache).pixels, first.pixels
    )
    (tmp_path / "0.png").write_bytes(encoded(picture(41, 50), "PNG"))
    changed = load("folder", path=tmp_path, resolution=8, cache=cache)
    assert changed.digest != first.digest


# Preprocessing


def some_images(n=10, channels=3, size=8, levels=255):
    pixels = torch.from_numpy(RNG.integers(0, levels + 1, (n, channels, size, size), np.uint8))
    return images_module.Images(pixels, levels, "folder", "made for a test")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_scaling_is_exact_at_the_ends():
    pixels = torch.tensor([0, 8, 16], dtype=torch.uint8).view(3, 1, 1, 1)
    assert prepare(pixels, 16, generator(), False, 0.0).flatten().tolist() == [-1.0, 0.0, 1.0]


def test_preprocessing_is_torchvisions():
    transforms = import_torchvision("torchvision.transforms")
    pixels = some_images().pixels
    steps = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)]
    )
    expected = torch.stack([steps(p.permute(1, 2, 0).numpy()) for p in pixels])
    torch.testing.assert_close(prepare(pixels, 255, generator(), False, 0.0), expected)


def test_noise_is_uniform_from_zero_to_its_height():
    pixels = torch.zeros(64, 1, 32, 32, dtype=torch.uint8)
    noise = (prepare(pixels, 255, generator(), False, 1 / 128) + 1) * 128
    assert noise.min() >= 0 and noise.max() <= 1
    assert float(noise.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(noise.std()) == pytest.approx(12**-0.5, abs=0.01)


def test_about_half_are_mirrored():
    pixels = some_images(400).pixels
    plain = prepare(pixels, 255, generator(), False, 0.0)
    found = prepare(pixels, 255, generator(), True, 0.0)
    mirrored = [torch.equal(a, b.flip(2)) for a, b in zip(found, plain, strict=True)]
    kept = [torch.equal(a, b) for a, b in zip(found, plain, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 150 < sum(mirrored) < 250


# Batches


def test_an_epoch_shows_every_picture_once_and_then_in_another_order():
    images = some_images(12)
    batches = Batches(images, 4, seed=0)
    epochs = [torch.cat([next(batches) for _ in range(3)]) for _ in range(2)]
    assert not torch.equal(*epochs)
    expected = prepare(images.pixels, 255, generator(), False, 0.0).flatten(1)
    for epoch in epochs:
        rows = sorted(map(tuple, epoch.flatten(1).tolist()))
        assert rows == sorted(map(tuple, expected.tolist()))


def test_a_rest_that_fills_no_batch_is_left_out():
    batches = Batches(some_images(10), 4, seed=0)
    assert all(next(batches).shape == (4, 3, 8, 8) for _ in range(7))


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
def test_batches_go_on_bit_for_bit_from_a_saved_state(steps):
    options = {"seed": 3, "flip": True, "noise": 1 / 128}
    first = Batches(some_images(10), 4, **options)
    images = images_module.Images(first._pixels, 255, "folder", "the same")
    for _ in range(steps):
        next(first)
    buffer = io.BytesIO()
    torch.save(first.state_dict(), buffer)
    buffer.seek(0)
    second = Batches(images, 4, **options | {"seed": 99})
    second.load_state_dict(torch.load(buffer, weights_only=True))
    assert all(torch.equal(next(first), next(second)) for _ in range(6))


def test_a_state_of_other_pictures_is_refused():
    state = Batches(some_images(10), 4, seed=0).state_dict()
    with pytest.raises(ValueError, match="the data have changed since the run was begun"):
        Batches(some_images(10), 4, seed=0).load_state_dict(state)


def test_the_seed_decides_the_batches():
    images = some_images(10)
    a, b, c = (Batches(images, 4, seed=seed, noise=0.1) for seed in (1, 1, 2))
    assert torch.equal(next(a), next(b))
    assert not torch.equal(next(a), next(c))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 11}, "batch: expected at most the 10 pictures there are, got 11"),
        ({"batch": 0}, "batch: expected a whole number"),
        ({"noise": -1.0}, "noise: expected numbers at least 0"),
        ({"seed": -1}, "seed: expected a whole number"),
    ],
)
def test_wrong_batches_are_refused(options, message):
    given = {"batch": 4, "seed": 0} | options
    with pytest.raises(ValueError, match=message):
        Batches(some_images(10), given.pop("batch"), **given)
