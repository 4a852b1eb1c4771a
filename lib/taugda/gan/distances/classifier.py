"""Features of pictures from a small classifier trained on the real ones."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from taugda.gan.checkpoints import kept
from taugda.gan.configuration import arithmetic
from taugda.gan.data import Images

__all__ = ["FEATURES", "Classifier", "train_classifier"]

FEATURES = 64
_HELD_OUT = 0.2  # share of the pictures that the accuracy is measured on
_EPOCHS = 30  # at the most; large sets are learned in fewer
_SEEN = 300_000  # pictures that it sees in all, after which no epoch begins
_BATCH = 64
_RATE = 1e-3


class Classifier(nn.Module):
    """Two convolutions, a hidden layer of 64, and one number a class."""

    accuracy: float  # share of held-out pictures that it names rightly
    held_out: int  # how many were held out

    def __init__(self, channels: int, resolution: int, classes: int) -> None:
        super().__init__()
        self.conv_0 = nn.Conv2d(channels, 32, 3, padding=1)
        self.conv_1 = nn.Conv2d(32, 64, 3, padding=1)
        self.hidden = nn.Linear(64 * (resolution // 4) ** 2, FEATURES)
        self.end = nn.Linear(FEATURES, classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the hidden layer before its ReLU, of pictures in [-1, 1]."""
        x = F.max_pool2d(F.relu(self.conv_0(x)), 2)
        x = F.max_pool2d(F.relu(self.conv_1(x)), 2)
        return self.hidden(x.flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        """Return one number a class, of pictures in [-1, 1]."""
        return self.end(F.relu(self.features(x)))

    @torch.no_grad()
    def extract(self, pictures: Tensor) -> NDArray:
        """Return the features of pictures in eight bits."""
        device = self.end.weight.device
        parts = pictures.to(device).split(1000)
        with arithmetic("float32"):
            found = [self.features(part.float().div(127.5).sub(1)) for part in parts]
        return torch.cat(found).double().cpu().numpy()

    @property
    def digest(self) -> str:
        """SHA-256 of the weights."""
        found = hashlib.sha256()
        for _, part in sorted(self.state_dict().items()):
            found.update(part.cpu().contiguous().numpy())
        return found.hexdigest()


def train_classifier(
    images: Images, seed: int = 0, cache: Path | None = None, device: str = "cpu"
) -> Classifier:
    """Train a classifier on labelled pictures, or take it from a cache; the seed decides it."""
    if images.labels is None:
        raise ValueError(f"images: expected pictures with labels, got {images.name} without")
    classes = int(images.labels.max()) + 1
    network = Classifier(images.pixels.shape[1], images.pixels.shape[2], classes)
    about = {"data": images.digest, "seed": seed}
    made = kept(
        cache, f"classifier-{images.name}", about, lambda: _train(network, images, seed, device)
    )
    network.load_state_dict(made["network"])
    network.accuracy, network.held_out = made["accuracy"], made["held_out"]
    return network.eval().requires_grad_(False)


def _train(network: Classifier, images: Images, seed: int, device: str) -> dict[str, Any]:
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
    return {"network": network.state_dict(), "accuracy": right / held_out, "held_out": held_out}
