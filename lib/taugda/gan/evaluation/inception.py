"""Features of pytorch-fid's Inception network, on arrays instead of picture files."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taugda.gan.vision import import_torchvision

__all__ = ["DIMENSION", "WeightsError", "inception", "inception_features"]

DIMENSION = 2048
_FILE = "pt_inception-2015-12-05-6726825d.pth"
_PREFIX = "6726825d"  # of the file's SHA-256, as its name says
_BATCH = 50


class WeightsError(ValueError):
    """Inception weights that are missing or are not the ones that FID is defined by."""


def inception(
    weights: str | Path | None = None, device: str = "cpu"
) -> tuple[torch.nn.Module, str]:
    """Load the network that FID is defined by.

    Parameters
    ----------
    weights : str or Path, optional
        File of its weights.  By default torch's cache is looked into, and they are fetched from
        the address that pytorch-fid names if they are not there.
    device : str
        Where it computes.

    Returns
    -------
    network : torch.nn.Module
        From pictures in [0, 1] of any size to a list with one Tensor of shape (n, 2048, 1, 1).
    digest : str
        SHA-256 of the weights' file.

    Raises
    ------
    WeightsError
        If the file is missing, cannot be fetched, or its SHA-256 is not that of FID's weights.
    """
    module = import_torchvision("pytorch_fid.inception")
    path = Path(weights) if weights else Path(torch.hub.get_dir()) / "checkpoints" / _FILE
    if not path.is_file():
        if weights:
            raise WeightsError(f"weights: expected the file {_FILE}, found nothing at {path}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(module.FID_WEIGHTS_URL, str(path), _PREFIX)
        except Exception as error:  # whatever the network raises
            raise WeightsError(
                f"the Inception weights could not be fetched ({error}); get "
                f"{module.FID_WEIGHTS_URL} elsewhere and set the parameter weights to {_FILE}"
            ) from error
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if not digest.startswith(_PREFIX):
        raise WeightsError(
            f"weights: expected a file whose SHA-256 starts with {_PREFIX}, got {digest[:8]} for "
            f"{path}; FID is defined by these weights alone"
        )
    state = torch.load(path, map_location="cpu", weights_only=True)
    return _network(module, state).to(device).eval().requires_grad_(False), digest


def _network(module: object, state: dict[str, Tensor]) -> torch.nn.Module:
    """Build pytorch-fid's network around given weights, which it would fetch itself."""
    fetch = module.load_state_dict_from_url
    module.load_state_dict_from_url = lambda *_, **__: state
    try:
        return module.InceptionV3([module.InceptionV3.BLOCK_INDEX_BY_DIM[DIMENSION]])
    finally:
        module.load_state_dict_from_url = fetch


def inception_features(
    network: torch.nn.Module, device: str = "cpu"
) -> Callable[[Tensor], NDArray[np.float64]]:
    """Return a function from pictures to their Inception features.

    Parameters
    ----------
    network : torch.nn.Module
        From `inception`.
    device : str
        Where it computes.

    Returns
    -------
    callable
        From pictures in eight bits, shape (n, 1 or 3, h, w), to features of shape (n, 2048), as
        pytorch-fid computes them from picture files.
    """

    def features(pictures: Tensor) -> NDArray[np.float64]:
        found = []
        with torch.no_grad():
            for part in pictures.split(_BATCH):
                x = part.to(device).float().div(255).expand(-1, 3, -1, -1)
                found.append(network(x)[0].flatten(1).double().cpu().numpy())
        return np.concatenate(found)

    return features
