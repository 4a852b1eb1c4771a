"""Real pictures: data sets by name, in memory as bytes, and endless augmented batches of them."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from taugda.checks import count, positive
from taugda.gan.fetch import DataError, fetch_into
from taugda.gan.models import stages
from taugda.gan.pictures import Pictures, find_pictures, fit, keep

DATASETS = ("digits", "cifar10", "celeba", "folder")
_FACES = 202_599  # pictures of CelebA


@dataclass(frozen=True, eq=False)
class Images:
    """Decoded pictures: bytes of shape (n, channels, h, w), from 0 to ``levels``."""

    pixels: Tensor
    levels: int
    name: str  # of the data set
    source: str  # where they came from, in words
    labels: Tensor | None = None  # class of each picture, int64 of shape (n,)

    @property
    def digest(self) -> str:
        """SHA-256 over the pixels and their shape."""
        found = hashlib.sha256(repr((tuple(self.pixels.shape), self.levels)).encode())
        found.update(self.pixels.contiguous().numpy())
        return found.hexdigest()


def prepare(
    pixels: Tensor, levels: int, random: torch.Generator, flip: bool, noise: float,
    dtype: torch.dtype = torch.float32,
) -> Tensor:  # fmt: skip
    """Return bytes as numbers in [-1, 1], mirrored at random, plus uniform noise: the paper's."""
    device = pixels.device
    x = pixels.to(dtype).mul_(2 / levels).sub_(1)
    if flip:
        mirrored = torch.rand(len(x), generator=random, device=device) < 0.5
        x = torch.where(mirrored.view(-1, 1, 1, 1), x.flip(3), x)
    if noise:
        x += noise * torch.rand(x.shape, generator=random, device=device, dtype=dtype)
    return x


class Batches(Iterator[Tensor]):
    """Endless shuffled batches, each picture at most once an epoch, on the training device.

    Parameters
    ----------
    images : Images
        The pictures.
    batch : int
        Pictures a batch, at most as many as there are.
    seed : int
        Of the order and the augmentation.
    device, dtype : str, torch.dtype
        Where the batches are wanted, and of which type.
    flip, noise : bool, float
        Whether pictures are mirrored at random; height of the uniform noise, at least 0.
    """

    def __init__(
        self, images: Images, batch: int, *, seed: int, device: str = "cpu",
        flip: bool = False, noise: float = 0.0, dtype: torch.dtype = torch.float32,
    ) -> None:  # fmt: skip
        n = len(images.pixels)
        if count("batch", batch) > n:
            raise ValueError(f"batch: expected at most the {n} pictures there are, got {batch}")
        self.batch, self.flip, self.dtype = batch, flip, dtype
        self.noise = positive("noise", noise, zero=True)
        self._levels, self._digest = images.levels, images.digest
        self._pixels = images.pixels.to(device)
        self._random = torch.Generator(device).manual_seed(count("seed", seed, least=0))
        self._order = torch.empty(0, dtype=torch.int64, device=device)
        self._position = 0

    def __next__(self) -> Tensor:
        if self._position + self.batch > len(self._order):
            n, device = len(self._pixels), self._pixels.device
            self._order = torch.randperm(n, generator=self._random, device=device)
            self._position = 0
        chosen = self._order[self._position : self._position + self.batch]
        self._position += self.batch
        return prepare(
            self._pixels[chosen], self._levels, self._random, self.flip, self.noise, self.dtype
        )

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next batches depend on, as plain values and tensors."""
        return {
            "order": self._order.cpu(), "position": self._position, "data": self._digest,
            "random": self._random.get_state(),
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state; one of other pictures is refused with a ValueError."""
        if state["data"] != self._digest:
            raise ValueError(
                f"state: expected one of the pictures {self._digest[:12]}, got one of "
                f"{state['data'][:12]}; the data have changed since the run was begun"
            )
        self._order = state["order"].to(self._pixels.device)
        self._position = state["position"]
        self._random.set_state(state["random"])


def load(
    name: str, *, path: str | Path | None = None, resolution: int | None = None,
    download: bool = False, cache: Path | None = None,
) -> Images:  # fmt: skip
    """Load real pictures into memory.

    Parameters
    ----------
    name : {"digits", "cifar10", "celeba", "folder"}
        scikit-learn's handwritten digits, which need no file; CIFAR-10's training split; CelebA's
        aligned pictures, all 202,599; or those in a directory (with all below it) or a zip.
    path : str or Path, optional
        Where the data are, for all but digits.
    resolution : int, optional
        Pixels across, a power of two from 8 up; without it 8 for digits and the paper's 32 else.
    download : bool
        Whether cifar10 or celeba may be fetched into ``path`` if they are missing.
    cache : Path, optional
        Folder that large decoded sets are kept in.

    Returns
    -------
    Images
        Digits: one channel of 0 to 16.  The others: three of 8 bits, the shorter side scaled to
        ``resolution`` and the centre cropped as in the paper, in the order of the archive or of
        the sorted names; labels of cifar10 and of a folder in which every picture is in a class's.

    Raises
    ------
    ValueError, DataError
        If an argument is none that there is; if the data are missing, cannot be fetched or read.
    """
    if name not in DATASETS:
        raise ValueError(f"name: expected one of {', '.join(DATASETS)}, got {name!r}")
    if name == "digits":
        if resolution not in (None, 8):
            raise ValueError(f"resolution: expected 8, the digits' own, got {resolution!r}")
        return _digits()
    resolution = 32 if resolution is None else resolution
    stages(resolution)
    if path is None:
        raise ValueError(f"path: expected where the pictures of {name} are, got None")
    path = Path(path).expanduser()
    if name == "cifar10":
        pixels, labels = _cifar10(path, resolution, download)
    else:
        pictures = _celeba(path, download) if name == "celeba" else find_pictures(path)
        pixels, labels = keep(pictures, resolution, cache), pictures.labels
    sources = {"cifar10": "CIFAR-10's training split", "celeba": "CelebA's aligned pictures"}
    source = sources.get(name, f"the pictures in {path.name}")
    return Images(pixels, 255, name, f"{source}, {resolution} x {resolution}", labels)


def _digits() -> Images:
    # scikit-learn's own loader reads the same file, after importing all of it for a second or two.
    (folder,) = find_spec("sklearn").submodule_search_locations
    rows = np.loadtxt(Path(folder) / "datasets/data/digits.csv.gz", delimiter=",", dtype=np.int64)
    pixels = torch.from_numpy(rows[:, :-1].astype(np.uint8).reshape(-1, 1, 8, 8))
    source = "scikit-learn's handwritten digits, 8 x 8"
    return Images(pixels, 16, "digits", source, torch.from_numpy(rows[:, -1].copy()))


def _cifar10(path: Path, resolution: int, download: bool) -> tuple[Tensor, Tensor]:
    """Read the training split from the published archive or the unpacked folder at or in a path."""
    from taugda.gan.vision import torchvision

    published = torchvision.datasets.CIFAR10
    folder, archive, md5 = published.base_folder, published.filename, published.tgz_md5
    (batch, _), *_ = published.train_list
    advice = f"Put {archive} (MD5 {md5}) or the unpacked folder {folder} into {path}"

    def get(into: Path) -> None:
        torchvision.datasets.utils.download_url(published.url, into, archive, md5)

    places = path, path / folder, path / archive
    found = next((p for p in places if p.is_file() or (p / batch).is_file()), None)
    found = found or _fetched("cifar10", path, archive, get, advice, download)
    # Made ready aside: its own folder may be read-only or have any name, and runs side by side
    # would see each other's half-written files.
    with TemporaryDirectory() as aside:
        try:
            if found.is_file():
                shutil.unpack_archive(found, aside, "gztar")
            else:
                Path(aside, folder).symlink_to(found.absolute())
            split = published(aside)
        except Exception as error:  # what is damaged fails in many ways
            raise DataError(f"cifar10: cannot read all of {found}: {error}. {advice}.") from error
    pixels = torch.from_numpy(split.data).permute(0, 3, 1, 2).contiguous()
    if resolution != pixels.shape[2]:
        pixels = torch.stack([fit(Image.fromarray(each), resolution) for each in split.data])
    return pixels, torch.tensor(split.targets)


def _celeba(path: Path, download: bool) -> Pictures:
    """Find CelebA's aligned pictures, a folder or zip at or in a path; it needs no label file."""
    folder, archive = "img_align_celeba", "img_align_celeba.zip"

    def get(into: Path) -> None:
        from taugda.gan.vision import torchvision

        known = {name: (id_, md5) for id_, md5, name in torchvision.datasets.CelebA.file_list}
        file_id, md5 = known[archive]
        # Google Drive refuses after a daily quota.
        torchvision.datasets.utils.download_file_from_google_drive(file_id, into, archive, md5)

    places = [path] if path.is_file() or path.name == folder else []
    places += [path / at / name for at in (".", "celeba") for name in (folder, archive)]
    advice = f"Put {archive} (aligned and cropped, 1.4 GB) or the folder {folder} into {path}"
    found = next((place for place in places if place.exists()), None)
    found = found or _fetched("celeba", path, archive, get, advice, download)
    pictures = find_pictures(found)
    if len(pictures.names) != _FACES:
        raise DataError(
            f"celeba: expected its {_FACES:,} pictures in {found}, found {len(pictures.names):,}; "
            "to train on just these, take them as a folder (dataset='folder')"
        )
    return pictures


def _fetched(
    name: str, path: Path, archive: str, get: Callable[[Path], None], advice: str, download: bool
) -> Path:
    if not download:
        raise DataError(f"{name}: not found in {path}. {advice}, or allow the download.")
    return fetch_into(path, archive, get, f"{name}: cannot fetch {archive}", advice)
