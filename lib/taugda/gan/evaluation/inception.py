"""FID: Fréchet's distance in the 2,048 features of pytorch-fid's Inception, on arrays."""

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from taugda.atomic import write_atomic
from taugda.gan.data.errors import DataError
from taugda.gan.data.fetch import fetch_into
from taugda.gan.data.images import Images, prepare
from taugda.gan.evaluation.features import full_float32
from taugda.gan.evaluation.frechet import Statistics, frechet_distance, statistics
from taugda.gan.evaluation.quantize import quantize

__all__ = ["FEATURES", "FID", "Inception", "reference"]

FEATURES = 2048
_BATCH = 50  # pytorch-fid's
_HASH = "6726825d"  # start of the SHA-256 of the published weights, which their name ends in


class Inception:
    """The network that FID is defined by.

    Parameters
    ----------
    weights : str or Path, optional
        File of pytorch-fid's weights; without it they are fetched once, to where torch keeps what
        it downloads (``$TORCH_HOME/hub/checkpoints``), and taken from there ever after.
    device : str
        Where features are computed.

    Attributes
    ----------
    digest : str
        SHA-256 of the file of weights.

    Raises
    ------
    DataError
        If the weights are missing, cannot be fetched or are others than FID is defined by.
    """

    def __init__(self, weights: str | Path | None = None, device: str = "cpu") -> None:
        # First, for pytorch-fid imports torchvision.
        from taugda.gan.vision import torchvision  # noqa: F401, I001
        from pytorch_fid import inception

        path = _fetched(inception.FID_WEIGHTS_URL) if weights is None else Path(weights)
        try:
            data = path.expanduser().read_bytes()
        except OSError as error:
            raise DataError(f"weights: cannot read {path}: {error}") from error
        self.digest = hashlib.sha256(data).hexdigest()
        if not self.digest.startswith(_HASH):
            raise DataError(
                f"weights: expected pytorch-fid's file with a SHA-256 that starts with {_HASH}, "
                f"got {self.digest[: len(_HASH)]} of {path}"
            )
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        # The class itself asks for weights by their address; it is handed those that were checked.
        by_address = inception.load_state_dict_from_url
        inception.load_state_dict_from_url = lambda *_, **__: state
        try:
            network: nn.Module = inception.InceptionV3(
                [inception.InceptionV3.BLOCK_INDEX_BY_DIM[FEATURES]]
            )
        finally:
            inception.load_state_dict_from_url = by_address
        self._network = network.eval().to(device)
        self._device = device

    def __call__(self, pictures: Tensor, progress: bool = False) -> NDArray[np.float64]:
        """Return the features of pictures.

        Parameters
        ----------
        pictures : Tensor of uint8, shape (n, 3, h, w)
            From 0 to 255, on any device.
        progress : bool
            Whether to show a bar when it takes long.

        Returns
        -------
        ndarray of float64, shape (n, 2048)
        """
        from tqdm import tqdm

        parts = pictures.split(_BATCH)
        bar = tqdm(
            parts, desc="Inception", unit="batch", delay=2, leave=False, disable=not progress
        )
        with torch.no_grad(), full_float32():
            found = [
                self._network(part.to(self._device).float().div(255))[0].flatten(1).cpu()
                for part in bar
            ]
        return torch.cat(found).double().numpy()


def _fetched(url: str) -> Path:
    name = url.rpartition("/")[2]
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    if (folder / name).exists():
        return folder / name

    def get(into: Path) -> None:
        torch.hub.download_url_to_file(url, str(into / name), hash_prefix=_HASH)

    failed = f"weights: cannot fetch Inception's weights from {url}"
    advice = f"Put {name} into {folder}, or set the parameter weights to the file"
    return fetch_into(folder, name, get, failed, advice)


class FID:
    """The Fréchet Inception distance to real pictures.

    Parameters
    ----------
    real : Statistics
        Of the real pictures' features.
    extract : callable
        From pictures in eight bits to features.
    provenance : dict
        Where the real statistics came from.

    Attributes
    ----------
    name, label, unit : str
        "FID", the same for an axis, and its definition in words.
    """

    name = label = "FID"
    unit = "Fréchet's distance in the 2,048 features of FID's Inception network"

    def __init__(
        self,
        real: Statistics,
        extract: Callable[[Tensor], NDArray[np.float64]],
        provenance: dict[str, Any],
    ) -> None:
        self.provenance = provenance
        self._real, self._extract = real, extract

    def score(self, pictures: Tensor) -> dict[str, float]:
        """Return the distance of generated pictures.

        Parameters
        ----------
        pictures : Tensor, shape (n, 3, h, w)
            Numbers in [-1, 1], on any device, at least 2,048 of them; rounded to eight bits first.

        Returns
        -------
        dict of str to float
            Under "FID".

        Raises
        ------
        ValueError
            If there are fewer pictures.
        """
        found = statistics(self._extract(quantize(pictures)), least=FEATURES)
        return {self.name: frechet_distance(found, self._real)}


def reference(
    images: Images,
    inception: Inception,
    *,
    count: int,
    seed: int,
    flip: bool,
    noise: float,
    cache: Path | None = None,
) -> tuple[Statistics, dict[str, Any]]:
    """Return statistics of real pictures, drawn and prepared as in the paper.

    Parameters
    ----------
    images : Images
        The real pictures.
    inception : Inception
        The network.
    count : int
        How many are drawn, at least 2,048.
    seed : int
        Of the draw, the mirroring and the noise.
    flip, noise : bool, float
        The training's preprocessing, which the drawn pictures go through before they are rounded
        to eight bits.
    cache : Path, optional
        Folder that the statistics are kept in, and taken from if they are whole.

    Returns
    -------
    found : Statistics
        Of the features.
    provenance : dict
        What they depend on.
    """
    provenance = {
        "data": images.digest, "resolution": images.pixels.shape[2], "real_pictures": count,
        "seed": seed, "flip": bool(flip), "noise": float(noise), "weights": inception.digest,
    }  # fmt: skip
    about = json.dumps(provenance, sort_keys=True)
    key = hashlib.sha256(about.encode()).hexdigest()
    path = cache / f"fid-{images.name}-{key[:32]}.npz" if cache else None
    found = _read(path, about) if path else None
    if found is None:
        random = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(len(images.pixels), generator=random)[:count]
        prepared = prepare(images.pixels[chosen], images.levels, random, flip, noise)
        found = statistics(inception(quantize(prepared), progress=True), least=FEATURES)
        if path:
            buffer = io.BytesIO()
            np.savez(
                buffer, mean=found.mean, covariance=found.covariance, count=found.count,
                provenance=about, digest=_digest(found),
            )  # fmt: skip
            write_atomic(path, buffer.getvalue())
    return found, provenance


def _read(path: Path, about: str) -> Statistics | None:
    """Return what was kept; None where there is nothing or it is not what it says it is."""
    try:
        with np.load(path) as kept:
            found = Statistics(kept["mean"], kept["covariance"], int(kept["count"]))
            whole = str(kept["provenance"]) == about and str(kept["digest"]) == _digest(found)
            return found if whole else None
    except Exception:  # whatever a damaged file raises: it is computed again
        return None


def _digest(found: Statistics) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(found.mean))
    digest.update(np.ascontiguousarray(found.covariance))
    return digest.hexdigest()
