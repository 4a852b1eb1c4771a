"""Features of pictures from a small classifier trained on the real ones."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from taugda.atomic import write_atomic
from taugda.gan.data.images import Images

__all__ = ["Classifier", "TrainedClassifier", "full_float32", "train_classifier"]

FEATURES = 64
_HELD_OUT = 0.2  # share of the pictures that the accuracy is measured on
_EPOCHS = 30  # at the most; large sets are learned in fewer
_SEEN = 300_000  # pictures that it sees in all, after which no epoch begins
_BATCH = 64
_RATE = 1e-3


@contextmanager
def full_float32() -> Iterator[None]:
    """Compute features without TF32, whatever the training around them allows.

    Yields
    ------
    None
    """
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


class Classifier(nn.Module):
    """Two convolutions, a hidden layer of 64, and one number a class.

    Parameters
    ----------
    channels, resolution : int
        Of the pictures.
    classes : int
        Number of classes.
    """

    def __init__(self, channels: int, resolution: int, classes: int) -> None:
        super().__init__()
        self.conv_0 = nn.Conv2d(channels, 32, 3, padding=1)
        self.conv_1 = nn.Conv2d(32, 64, 3, padding=1)
        self.hidden = nn.Linear(64 * (resolution // 4) ** 2, FEATURES)
        self.end = nn.Linear(FEATURES, classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the hidden layer before its ReLU.

        Parameters
        ----------
        x : Tensor, shape (n, channels, resolution, resolution)
            Pictures in [-1, 1].

        Returns
        -------
        Tensor, shape (n, 64)
        """
        x = F.max_pool2d(F.relu(self.conv_0(x)), 2)
        x = F.max_pool2d(F.relu(self.conv_1(x)), 2)
        return self.hidden(x.flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        """Return one number a class.

        Parameters
        ----------
        x : Tensor, shape (n, channels, resolution, resolution)
            Pictures in [-1, 1].

        Returns
        -------
        Tensor, shape (n, classes)
        """
        return self.end(F.relu(self.features(x)))


@dataclass(frozen=True, eq=False)
class TrainedClassifier:
    """A classifier with what is known of it.

    Attributes
    ----------
    network : Classifier
        In evaluation mode, on the CPU.
    accuracy : float
        Share of held-out pictures that it names rightly.
    held_out : int
        How many were held out.
    digest : str
        SHA-256 of its weights.
    """

    network: Classifier
    accuracy: float
    held_out: int
    digest: str


def train_classifier(
    images: Images, seed: int = 0, cache: Path | None = None, device: str = "cpu"
) -> TrainedClassifier:
    """Train a small classifier on real pictures.

    Parameters
    ----------
    images : Images
        Pictures with labels.
    seed : int
        Of its initial weights, the held-out pictures and their order.
    cache : Path, optional
        Folder that a trained classifier is kept in, and taken from if it is whole.
    device : str
        Where it is trained.

    Returns
    -------
    TrainedClassifier
        The same for the same pictures and seed, on one machine.

    Raises
    ------
    ValueError
        If the pictures have no labels.
    """
    if images.labels is None:
        raise ValueError(f"images: expected pictures with labels, got {images.name} without")
    path = cache / f"classifier-{images.name}-{images.digest[:16]}-{seed}.pt" if cache else None
    classes = int(images.labels.max()) + 1
    network = Classifier(images.pixels.shape[1], images.pixels.shape[2], classes)
    state = _read(path) if path else None
    if state is None:
        state = _train(network, images, seed, device)
        if path:
            buffer = io.BytesIO()
            torch.save(state, buffer)
            write_atomic(path, buffer.getvalue())
    network.load_state_dict(state["network"])
    network.eval().requires_grad_(False)
    return TrainedClassifier(network, state["accuracy"], state["held_out"], _digest(network))


def _read(path: Path) -> dict | None:
    """Return a cached classifier; None where there is none or it is not the one it says it is."""
    try:
        state = torch.load(io.BytesIO(path.read_bytes()), weights_only=True)
        weights = [state["network"][name] for name in sorted(state["network"])]
        return state if _digest_of(weights) == state["digest"] else None
    except Exception:  # whatever a damaged file raises: it is trained again
        return None


def _train(network: Classifier, images: Images, seed: int, device: str) -> dict:
    held_out = round(_HELD_OUT * len(images.pixels))
    epochs = max(1, min(_EPOCHS, _SEEN // len(images.pixels)))
    pixels, labels = images.pixels.to(device), images.labels.to(device)

    def judged(part: Tensor) -> Tensor:
        return network(pixels[part].float().mul(2 / images.levels).sub(1))

    threads = torch.get_num_threads()
    # Sums depend on how they are split; one thread gives the same weights whatever the share.
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for layer in network.children():
                layer.reset_parameters()
            network.to(device)
            order = torch.randperm(len(pixels))
            test, train = order[:held_out], order[held_out:]
            optimizer = torch.optim.Adam(network.parameters(), lr=_RATE)
            for _ in range(epochs):
                for part in train[torch.randperm(len(train))].split(_BATCH):
                    optimizer.zero_grad()
                    F.cross_entropy(judged(part), labels[part]).backward()
                    optimizer.step()
            with torch.no_grad():
                right = sum(
                    int((judged(part).argmax(1) == labels[part]).sum()) for part in test.split(1000)
                )
            network.cpu()
    finally:
        torch.set_num_threads(threads)
    return {
        "network": network.state_dict(),
        "accuracy": right / held_out,
        "held_out": held_out,
        "digest": _digest(network),
    }


def _digest(network: Classifier) -> str:
    state = network.state_dict()
    return _digest_of([state[name] for name in sorted(state)])


def _digest_of(weights: list[Tensor]) -> str:
    found = hashlib.sha256()
    for part in weights:
        found.update(part.detach().contiguous().numpy())
    return found.hexdigest()
