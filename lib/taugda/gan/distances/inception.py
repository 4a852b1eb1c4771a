"""The Inception network that FID is defined by, on arrays."""

import filecmp
import hashlib
from pathlib import Path

import torch
from numpy.typing import NDArray
from torch import Tensor

from taugda.atomic import write_atomic
from taugda.gan.configuration import arithmetic
from taugda.gan.data.fetch import DataError, fetch_into

__all__ = ["FEATURES", "Inception"]

FEATURES = 2048
_BATCH = 50  # pytorch-fid's
_HASH = "6726825d"  # start of the SHA-256 of the published weights, which their name ends in


class Inception:
    """pytorch-fid's network, with weights from a named file or from where torch keeps downloads."""

    def __init__(self, weights: str | Path | None = None, device: str = "cpu") -> None:
        # First, for pytorch-fid imports torchvision.
        from taugda.gan.vision import torchvision  # noqa: F401, I001
        from pytorch_fid import inception

        # pytorch-fid asks torch for its weights by their address, and torch takes them from here.
        url = inception.FID_WEIGHTS_URL
        place = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
        if weights is None and not place.exists():
            _fetch(url, place)
        path = place if weights is None else Path(weights).expanduser()
        try:
            data = path.read_bytes()
            self.digest = hashlib.sha256(data).hexdigest()
            if not self.digest.startswith(_HASH):
                raise DataError(
                    f"weights: expected pytorch-fid's file with a SHA-256 that starts with "
                    f"{_HASH}, got {self.digest[: len(_HASH)]} of {path}"
                )
            if not (place.is_file() and filecmp.cmp(path, place, shallow=False)):
                write_atomic(place, data)
        except OSError as error:
            raise DataError(f"weights: cannot read {path} or put it to {place}: {error}") from error
        blocks = [inception.InceptionV3.BLOCK_INDEX_BY_DIM[FEATURES]]
        self._network = inception.InceptionV3(blocks).eval().to(device)
        self._device = device

    @torch.no_grad()
    def __call__(self, pictures: Tensor, progress: bool = False) -> NDArray:
        """Return the features (n, 2048) of pictures in eight bits (n, 3, h, w)."""
        from tqdm import tqdm

        parts = pictures.split(_BATCH)
        bar = tqdm(
            parts, desc="Inception", unit="batch", delay=2, leave=False, disable=not progress
        )
        with arithmetic("float32"):
            found = [
                self._network(part.to(self._device).float().div(255))[0].flatten(1).cpu()
                for part in bar
            ]
        return torch.cat(found).double().numpy()


def _fetch(url: str, place: Path) -> None:
    def get(into: Path) -> None:
        torch.hub.download_url_to_file(url, str(into / place.name), hash_prefix=_HASH)

    failed = f"weights: cannot fetch Inception's weights from {url}"
    advice = f"Put {place.name} into {place.parent}, or set the parameter weights to the file"
    fetch_into(place.parent, place.name, get, failed, advice)
