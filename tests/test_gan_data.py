"""Real pictures: small archives in the published formats, preprocessing, batches that resume."""

import hashlib
import io
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from taugda.gan import data, pictures
from taugda.gan.fetch import DataError
from taugda.gan.vision import torchvision

RANDOM = np.random.default_rng(5)


def picture(width, height, mode="RGB"):
    """A picture of random blocks, so that scaling it matters and JPEG keeps most of it."""
    blocks = RANDOM.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST).convert(mode)


def by_torchvision(image, size):
    transform = torchvision.transforms
    fitted = transform.CenterCrop(size)(transform.Resize(size)(image))
    return torch.from_numpy(np.array(fitted)).permute(2, 0, 1)


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def names(folder):
    return sorted(file.name for file in folder.iterdir() if not file.name.startswith("."))


def pack(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def load(path, resolution=8, name="folder"):
    """The pixels of a data set."""
    return data.load(name, path=path, resolution=resolution).pixels


def refuse(message, path, name="folder", **options):
    with pytest.raises(DataError, match=message):
        data.load(name, path=path, **options)


def test_torchvision_is_imported_in_a_fresh_process_with_or_without_its_operators():
    code = (
        "import json, gc; from taugda.gan import vision; gc.collect();"
        "import pytorch_fid.inception; from torchvision import datasets, extension, transforms;"
        'print(json.dumps([hasattr(vision, "declared"), extension._has_ops()]))'
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    declared, operators = json.loads(answer.stdout)
    assert declared is not operators


def test_digits_are_scikit_learns():
    images, theirs = data.load("digits"), load_digits()
    assert images.pixels.dtype == torch.uint8 and images.levels == 16
    assert np.array_equal(images.pixels[:, 0].numpy(), theirs.images)
    assert np.array_equal(images.labels.numpy(), theirs.target)
    assert images.digest.startswith("06aea85d196f05bb")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("imagenet", {}, "expected one of digits, cifar10, celeba, folder, got 'imagenet'$"),
        ("digits", {"resolution": 16}, "resolution: expected 8, the digits' own, got 16"),
        ("folder", {"path": ".", "resolution": 12}, "resolution: expected a power of two"),
        ("cifar10", {}, "path: expected where the pictures of cifar10 are, got None"),
    ],
)
def test_a_wrong_request_is_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        data.load(name, **options)


# CIFAR-10


@pytest.fixture
def cifar10(tmp_path, monkeypatch):
    """A small archive in the published format, and its files; torchvision knows their sums."""
    published = torchvision.datasets.CIFAR10
    pixels = RANDOM.integers(0, 256, (5, 4, 3072), dtype=np.uint8)
    batches = [{"data": part, "labels": [k] * 4} for k, part in enumerate(pixels, start=1)]
    files = {f"data_batch_{k}": batch for k, batch in enumerate(batches, start=1)}
    files["batches.meta"] = {"label_names": ["a", "b"]}
    files = {name: pickle.dumps(content, protocol=2) for name, content in files.items()}
    *train, (_, meta) = ([name, hashlib.md5(each).hexdigest()] for name, each in files.items())
    monkeypatch.setattr(published, "train_list", train)
    monkeypatch.setattr(published, "test_list", [])
    monkeypatch.setattr(published, "meta", published.meta | {"md5": meta})
    unpacked, stem = tmp_path / "unpacked", tmp_path / "made" / "cifar-10-python"
    write(unpacked / published.base_folder, files)
    archive = Path(shutil.make_archive(stem, "gztar", unpacked, published.base_folder))
    monkeypatch.setattr(published, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    return archive, unpacked, torch.from_numpy(pixels.reshape(-1, 3, 32, 32))


def test_cifar10_is_read_from_its_archive_and_unpacked(cifar10, tmp_path):
    archive, unpacked, pixels = cifar10
    folder = unpacked / torchvision.datasets.CIFAR10.base_folder
    renamed = shutil.copytree(folder, tmp_path / "renamed")
    archive.parent.chmod(0o500)  # nothing is written beside it
    for path in (archive.parent, archive, unpacked, folder, renamed):
        images = data.load("cifar10", path=path)
        assert torch.equal(images.pixels, pixels)
        assert images.labels.tolist() == [k for k in range(1, 6) for _ in range(4)]
    assert names(archive.parent) == [archive.name]
    for before, after in zip(pixels, load(folder, 16, "cifar10"), strict=True):
        whole = Image.fromarray(before.permute(1, 2, 0).numpy())
        assert torch.equal(after, by_torchvision(whole, 16))


@pytest.mark.parametrize("packed", [True, False])
def test_damaged_cifar10_is_refused(packed, cifar10):
    archive, unpacked, _ = cifar10
    path = archive if packed else unpacked / torchvision.datasets.CIFAR10.base_folder
    file = archive if packed else path / "data_batch_3"
    content = file.read_bytes()
    file.write_bytes(content[:-99] if packed else content[:-1] + b"?")
    refuse(r"cannot read all of .*\. Put cifar-10-python.tar.gz", path, "cifar10")


FETCH = """import sys, time
from pathlib import Path
from taugda.gan.fetch import fetch_into
work, how = Path(sys.argv[1]), sys.argv[2]

def get(folder):
    (folder / "set.zip").write_text("half of it")
    with (work / "fetches").open("a") as lines:
        print(how, file=lines)
    while not (work / "go").exists():
        time.sleep(0.01)
    if how == "fail":
        raise OSError("network is unreachable")
    (folder / "set.zip").write_text("all of it")

print(fetch_into(work / "place", "set.zip", get, "cannot fetch it", "Put it there").read_text())
"""


@pytest.mark.parametrize(
    ("end", "status", "fetched"), [("succeed", 0, 1), ("fail", 1, 2), ("killed", -9, 2)]
)
def test_of_two_processes_that_want_a_download_one_fetches_it(tmp_path, end, status, fetched):
    def begin(how):
        return subprocess.Popen(
            [sys.executable, "-c", FETCH, tmp_path, how], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    fetches, first = tmp_path / "fetches", begin(end)
    for _ in range(3000):
        if fetches.exists():
            break
        time.sleep(0.02)
    second = begin("succeed")
    assert second.stdout.readline() == "Another process fetches set.zip; waiting for it\n"
    assert len(fetches.read_text().splitlines()) == 1
    if end == "killed":
        first.kill()
        first.wait()
    (tmp_path / "go").touch()
    (said, error), (found, trouble) = (each.communicate(timeout=60) for each in (first, second))
    assert found == "all of it\n", trouble
    assert first.returncode == status and said == ("" if status else found)
    assert ("cannot fetch it: network is unreachable. Put it there." in error) is (end == "fail")
    assert len(fetches.read_text().splitlines()) == fetched
    assert names(tmp_path / "place") == ["set.zip"]


# CelebA


@pytest.fixture
def faces(monkeypatch):
    """Six faces of the published size, in its format; they are all that there are."""
    monkeypatch.setattr(data, "_FACES", 6)
    return {f"{k:06d}.jpg": encoded(picture(178, 218), "JPEG") for k in range(1, 7)}


def test_celeba_is_read_from_its_folder_and_its_zip_without_labels(faces, tmp_path):
    nested = {f"img_align_celeba/{name}": content for name, content in faces.items()}
    write(tmp_path / "a", nested)
    write(tmp_path / "b" / "celeba", nested)
    (tmp_path / "c").mkdir()
    pack(tmp_path / "c" / "img_align_celeba.zip", nested)
    expected = [by_torchvision(Image.open(io.BytesIO(face)), 32) for face in faces.values()]
    for path in ("a", "a/img_align_celeba", "b", "c", "c/img_align_celeba.zip"):
        images = data.load("celeba", path=tmp_path / path)
        assert torch.equal(images.pixels, torch.stack(expected)) and images.labels is None


def test_a_part_of_celeba_is_no_celeba_but_a_folder_of_pictures(faces, tmp_path):
    write(tmp_path, {f"img_align_celeba/{name}": faces[name] for name in sorted(faces)[:3]})
    refuse(r"expected its 6 pictures in .*, found 3; .*'folder'", tmp_path, "celeba")
    assert len(load(tmp_path / "img_align_celeba")) == 3


@pytest.mark.parametrize(
    ("name", "getter", "md5"),
    [("cifar10", "download_url", None),
     ("celeba", "download_file_from_google_drive", "00d2c5bc6d35e252742224ab0c1e8fcb")],
)  # fmt: skip
def test_a_set_is_fetched_on_request_whole_or_not_at_all(
    name, getter, md5, cifar10, faces, tmp_path, monkeypatch
):
    published, place, utils = cifar10[0], tmp_path / "new" / "place", torchvision.datasets.utils
    if name == "celeba":
        files = {f"img_align_celeba/{face}": content for face, content in faces.items()}
        published = pack(tmp_path / "img_align_celeba.zip", files)
    archive = published.name
    put = re.escape(f". Put {archive} ")
    refuse(f"not found in {place}{put}.*, or allow the download", place, name)

    def fail(_address, folder, _name, _md5):
        (folder / archive).write_bytes(b"half of it")
        raise OSError("network is unreachable")

    def fetch(_address, folder, called, expected):
        assert expected == (md5 or torchvision.datasets.CIFAR10.tgz_md5)
        shutil.copy(published, folder / called)

    monkeypatch.setattr(utils, getter, fail)
    refuse(f"cannot fetch {archive}: network is unreachable{put}", place, name, download=True)
    assert names(place) == []
    for get in (fetch, None):  # the second time it is not needed
        monkeypatch.setattr(utils, getter, get)
        found = data.load(name, path=place, resolution=8, download=True).pixels
        assert names(place) == [archive] and torch.equal(found, load(published, 8, name))


# Folders


@pytest.mark.parametrize("size", [(40, 40), (50, 31), (31, 64), (20, 90), (32, 32), (9, 10)])
def test_pictures_of_any_size_are_scaled_and_cropped_as_torchvision_does(size, tmp_path):
    image = picture(*size)
    write(tmp_path, {"a.png": encoded(image)})
    assert torch.equal(load(tmp_path, 32)[0], by_torchvision(image, 32))


def test_a_directory_and_a_zip_give_the_same_in_sorted_order(tmp_path, monkeypatch):
    files = {f"{k % 3}/{9 - k}.png": encoded(picture(16, 16)) for k in range(9)}
    write(tmp_path / "d", files | {"notes.txt": b"-", ".hidden/a.png": b"-", "0/.b.png": b"-"})
    pack(tmp_path / "d.zip", files | {"__MACOSX/0/._9.png": b"-", "notes.txt": b"-"})
    pack(tmp_path / "wrapped.zip", {f"set/train/{name}": each for name, each in files.items()})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    places = "d", "~/d", "d.zip", "wrapped.zip"
    expected = [np.asarray(Image.open(io.BytesIO(files[name]))) for name in sorted(files)]
    for place in places:
        images = data.load("folder", path=place, resolution=16)
        assert np.array_equal(images.pixels.permute(0, 2, 3, 1), expected)
        assert images.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    "names", [("a.png", "b.png"), ("x/a.png", "b.png"), ("x/a.png", "x/b.png")]
)
def test_without_class_folders_there_are_no_labels(names, tmp_path):
    write(tmp_path, {name: encoded(picture(8, 8)) for name in names})
    assert data.load("folder", path=tmp_path, resolution=8).labels is None


@pytest.mark.filterwarnings("error")
def test_every_mode_becomes_rgb_and_a_camera_held_sideways_is_turned_upright(tmp_path):
    image, turned = picture(16, 16), Image.Exif()
    turned[0x0112] = 6
    palette = image.convert("P")
    palette.info["transparency"] = bytes(range(256))
    files = {
        "1.png": encoded(image.convert("L")), "2.png": encoded(image.convert("RGBA")),
        "3.png": encoded(palette), "4.png": encoded(image.convert("1")),
        "5.jpg": encoded(image.convert("CMYK"), "JPEG"), "6.png": encoded(image.convert("LA")),
        "7.png": encoded(image, exif=turned),
    }  # fmt: skip
    pixels = load(write(tmp_path, files), 16).permute(0, 2, 3, 1)
    grey, upright = image.convert("L").convert("RGB"), image.rotate(-90)
    expected = grey, image, image.convert("P").convert("RGB"), None, None, grey, upright
    for found, each in zip(pixels, expected, strict=True):
        assert each is None or np.array_equal(found, each)


WHOLE = encoded(picture(64, 64), "JPEG")
# Files that are no picture for us, by name, and what is said of them.
UNREADABLE = {
    "cut off.jpg": (WHOLE[:-200], "truncated"),
    "page.jpg": (b"<!DOCTYPE html><html>", "expected a picture .*first bytes are b'<!DOCTYPE"),
    "deep.png": (
        encoded(Image.fromarray(np.full((8, 8), 40_000, dtype=np.uint16))),
        "expected 8 bits a channel, found mode I;16",
    ),
    "empty.jpg": (b"", "expected a picture .*; it is empty"),
    "drawing.png": (encoded(picture(8, 8), "EPS"), "first bytes are b'%!PS"),
    "header.PNG": (encoded(picture(8, 8))[:40], ""),
    "phone.HEIC": (b"-", "its kind is none of .*convert or remove it"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_picture_is_named(name, tmp_path):
    content, message = UNREADABLE[name]
    files = {"a.jpg": WHOLE, f"x/{name}": content, "z.jpg": WHOLE}
    for path in (write(tmp_path / "d", files), pack(tmp_path / "d.zip", files)):
        refuse(f"{path}: cannot read the picture x/{name}: .*{message}", path)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.jfif", "JPEG"), ("a.JPE", "JPEG"), ("a.avif", "AVIF"), ("a.PNG", "PNG"), ("a.gif", "GIF"),
     ("a.TiF", "TIFF"), ("a.webp", "WEBP"), ("a.ppm", "PPM"), ("really a png.jpg", "PNG")],
)  # fmt: skip
def test_pictures_of_every_kind_are_read(name, kind, tmp_path):
    image = Image.linear_gradient("L").resize((16, 16)).convert("RGB")
    more = {"save_all": True, "append_images": [picture(16, 16)]} if kind == "GIF" else {}
    write(tmp_path, {name: encoded(image, kind, **more)})
    found = load(tmp_path, 16)[0].permute(1, 2, 0).numpy()
    # What loses nothing gives the very picture; of an animation, the first one counts.
    loss = np.abs(found.astype(int) - np.asarray(image)).mean()
    assert loss == 0 if kind in ("PNG", "TIFF", "PPM") else loss < 8


def test_links_are_followed_once_each(tmp_path):
    """Folders of pictures that are links count, a circle and a second way to a folder do not."""
    write(tmp_path, {f"{place}/a.png": encoded(picture(8, 8)) for place in ("d/x", "far", "d/.no")})
    for link, target in {
        "d/x/up": tmp_path / "d", "d/a": tmp_path / "far", "d/b": tmp_path / "far",
        "d/aaa": tmp_path / "d" / "x", "far/circle": tmp_path / "far",
    }.items():  # fmt: skip
        (tmp_path / link).symlink_to(target)
    (tmp_path / "d" / "one.png").symlink_to(tmp_path / "far" / "a.png")
    for path in (tmp_path / "d", tmp_path / "far" / "circle"):
        found = pictures.find_pictures(path).names
        assert found == (["a/a.png", "one.png", "x/a.png"] if path.name == "d" else ["a.png"])


def test_what_cannot_be_listed_or_opened_is_named(tmp_path, monkeypatch):
    write(tmp_path / "d", {"a.png": encoded(picture(8, 8))})
    (tmp_path / "d" / "b.png").symlink_to(tmp_path / "nowhere.png")
    refuse("the picture b.png: it is a link that leads nowhere", tmp_path / "d")
    (tmp_path / "d" / "b.png").unlink()
    os.mkfifo(tmp_path / "d" / "b.png")
    refuse("the picture b.png: it is no plain file", tmp_path / "d")

    def closed(path):  # the tests may be run by root, to whom no folder is closed
        raise PermissionError(13, "Permission denied", os.fspath(path))

    monkeypatch.setattr(os, "scandir", closed)
    refuse("cannot list .*d: Permission denied", tmp_path / "d")


# How Python's zipfile reads neither is what matters: the marks of both stand in the headers.
@pytest.mark.parametrize(
    ("place", "mark", "message"),
    [(8, 9, "compression method is not supported"), (6, 1, "is encrypted, password required"),
     (100, 0, "Bad CRC-32 for file")],
)  # fmt: skip
def test_a_zip_of_another_kind_or_damaged_is_refused_by_the_files_name(
    tmp_path, place, mark, message
):
    """Deflate64, which Windows uses for large files, encryption, and another byte in a picture."""
    path = pack(tmp_path / "d.zip", {"x/a.png": encoded(picture(64, 64)), "x/b.png": b"-" * 99})
    content = bytearray(path.read_bytes())
    assert content[place] != mark
    content[place] = mark
    if place < 30:
        content[content.index(b"PK\x01\x02") + place + 2] = mark
    path.write_bytes(content)
    refuse(f"{path}: cannot read the picture x/a.png: .*{message}", path)


def test_no_pictures_are_refused(tmp_path):
    (tmp_path / "file.zip").write_bytes(b"no zip")
    write(tmp_path / "d", {"notes.txt": b"-"})
    pack(tmp_path / "z.zip", {"in/ner.zip": b"-"})
    for name, message in [
        ("none", "found nothing"), ("file.zip", "found another file"), ("d", "none among 1 files$"),
        ("z.zip", "none among 1 files; unpack in/ner.zip first"),
    ]:  # fmt: skip
        refuse(message, tmp_path / name)


def test_a_large_set_is_kept_and_not_mixed_up_with_another(tmp_path, monkeypatch):
    options = {"path": tmp_path / "d", "cache": tmp_path / "cache"}
    decoded, plain = [], pictures.decode
    monkeypatch.setattr(pictures, "decode", lambda *a: decoded.append(a) or plain(*a))
    for least in (1, 2):  # then one picture is too few to be kept
        monkeypatch.setattr(pictures, "_KEPT_FROM", least)
        for height in (30, 31):
            write(tmp_path / "d", {"a.png": encoded(picture(40, height))})
            for size in (8, 16):
                expected = plain(pictures.find_pictures(tmp_path / "d"), size)
                for _ in range(2):
                    found = data.load("folder", resolution=size, **options).pixels
                    assert torch.equal(found, expected)
        assert len(list((tmp_path / "cache").iterdir())) == 4
        assert len(decoded) == (4 if least == 1 else 4 + 8)


# Batches


@pytest.fixture
def images():
    pixels = torch.arange(23 * 3 * 8 * 8).view(23, 3, 8, 8) * 7 % 251
    return data.Images(pixels.to(torch.uint8), 255, "toy", "made here")


def take(batches, number):
    return torch.stack([next(batches) for _ in range(number)])


@pytest.mark.parametrize("number", [20, 23])
def test_an_epoch_shows_each_picture_once(number, images):
    batches = data.Batches(replace(images, pixels=images.pixels[:number]), 5, seed=3)
    whole = images.pixels[:number].float() / 127.5 - 1
    for _ in range(3):
        seen = take(batches, 4).flatten(0, 1)
        numbers = (seen.unsqueeze(1) - whole).abs().amax((2, 3, 4)).argmin(1)
        torch.testing.assert_close(seen, whole[numbers])
        assert len(numbers.unique()) == 20


@pytest.mark.parametrize("done", [0, 1, 4, 6])
def test_batches_resume_bit_for_bit(done, images):
    options = {"flip": True, "noise": 1 / 128}
    whole = take(data.Batches(images, 5, seed=3, **options), 15)
    stopped = data.Batches(images, 5, seed=3, **options)
    for _ in range(done):
        next(stopped)
    file = io.BytesIO()
    torch.save(stopped.state_dict(), file)
    next(stopped)  # what happens after the state was kept does not change it
    resumed = data.Batches(images, 5, seed=99, **options)
    assert not torch.equal(next(resumed), whole[0])
    resumed.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    assert torch.equal(take(resumed, 15 - done), whole[done:])


def test_preparation_mirrors_scales_and_adds_noise():
    pixels = torch.zeros(2000, 1, 8, 8, dtype=torch.uint8)
    pixels[..., 0], pixels[..., 1] = 16, 8
    random = torch.Generator().manual_seed(0)
    x = data.prepare(pixels, 16, random, flip=False, noise=0.0)
    assert torch.equal(x[0, 0, 0], torch.tensor([1.0, 0, -1, -1, -1, -1, -1, -1]))
    mirrored = data.prepare(pixels, 16, random, flip=True, noise=0.0)[:, 0, 0, -1] == 1
    assert 0.45 < mirrored.double().mean() < 0.55
    noise = data.prepare(pixels, 16, random, flip=False, noise=0.25, dtype=torch.float64) - x
    assert noise.dtype == torch.float64 and 0 <= noise.min() and noise.max() < 0.25
    assert abs(noise.mean() - 0.125) < 0.001 and len(noise.unique()) > 1000


def test_wrong_batches_and_a_state_of_other_pictures_are_refused(images):
    with pytest.raises(ValueError, match="batch: expected at most the 23 pictures there are"):
        data.Batches(images, 24, seed=0)
    with pytest.raises(ValueError, match="noise: expected numbers at least 0"):
        data.Batches(images, 4, seed=0, noise=-0.1)
    state = data.Batches(images, 4, seed=0).state_dict()
    other = data.Images(images.pixels + 1, 255, "folder", "x")
    with pytest.raises(ValueError, match="the data have changed since the run was begun"):
        data.Batches(other, 4, seed=0).load_state_dict(state)
