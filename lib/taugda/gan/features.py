"""Features of pictures: of a small classifier trained on the real ones, of FID's Inception."""

import hashlib
import sys
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from taugda.atomic import write_atomic
from taugda.gan.checkpoints import kept
from taugda.gan.configuration import arithmetic
from taugda.gan.data import Images
from taugda.gan.fetch import DataError, fetch_into

CLASSIFIER_FEATURES, INCEPTION_FEATURES = 64, 2048
_HELD_OUT = 0.2  # share of the pictures that the accuracy is measured on
_EPOCHS = 30  # at the most; large sets are learned in fewer
_SEEN = 300_000  # pictures that it sees in all, after which no epoch begins
_BATCH = 64
_RATE = 1e-3
_INCEPTION_BATCH = 50  # pytorch-fid's
_HASH = "6726825d"  # start of the SHA-256 of Inception's weights, which their name ends in


class Classifier(nn.Module):
    """Two convolutions, a hidden layer of 64, and one number a class."""

    accuracy: float  # share of held-out pictures that it names rightly
    held_out: int  # how many were held out

    def __init__(self, channels: int, resolution: int, classes: int) -> None:
        super().__init__()
        self.conv_0 = nn.Conv2d(channels, 32, 3, padding=1)
        self.conv_1 = nn.Conv2d(32, 64, 3, padding=1)
        self.hidden = nn.Linear(64 * (resolution // 4) ** 2, CLASSIFIER_FEATURES)
        self.end = nn.Linear(CLASSIFIER_FEATURES, classes)

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
        # So many at once, with the channels last in memory, are three times as fast on a CPU.
        parts = pictures.to(device).split(250)
        place = {"dtype": torch.float32, "memory_format": torch.channels_last}
        with arithmetic("float32"):
            found = [self.features(part.to(**place).div(127.5).sub(1)) for part in parts]
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
    prefix = f"classifier-{images.name}"
    made = kept(cache, prefix, about, lambda: _train(network, images, seed, device))
    network.load_state_dict(made["network"])
    network.accuracy, network.held_out = made["accuracy"], made["held_out"]
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


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
                wrong = [judged(part).argmax(1) != labels[part] for part in test.split(1000)]
            network.cpu()
    finally:
        torch.set_num_threads(threads)
    accuracy = (held_out - int(torch.cat(wrong).sum())) / held_out
    return {"network": network.state_dict(), "accuracy": accuracy, "held_out": held_out}


class Inception:
    """pytorch-fid's network, with weights from a named file or from where torch keeps downloads."""

    def __init__(self, weights: str | Path | None = None, device: str = "cpu") -> None:
        # First, for pytorch-fid imports torchvision.
        from taugda.gan.vision import torchvision  # noqa: F401, I001
        from pytorch_fid import inception

        # pytorch-fid asks torch for its weights by their address, and torch takes them from here.
        url = inception.FID_WEIGHTS_URL
        place = Path(torch.hub.get_dir(), "checkpoints", Path(url).name)

        def get(into: Path) -> None:
            torch.hub.download_url_to_file(url, str(into / place.name), hash_prefix=_HASH)

        if weights is None and not place.exists():
            advice = f"Put {place.name} into {place.parent}, or name the file as weights"
            fetch_into(place.parent, place.name, get, f"weights: cannot fetch {url}", advice)
        path = place if weights is None else Path(weights).expanduser()
        data = path.read_bytes()
        self.digest = hashlib.sha256(data).hexdigest()
        if not self.digest.startswith(_HASH):
            raise DataError(
                f"weights: expected pytorch-fid's file with a SHA-256 that starts with "
                f"{_HASH}, got {self.digest[: len(_HASH)]} of {path}"
            )
        if path != place and not (place.exists() and place.read_bytes() == data):
            write_atomic(place, data)
        blocks = [inception.InceptionV3.BLOCK_INDEX_BY_DIM[INCEPTION_FEATURES]]
        self._network = inception.InceptionV3(blocks).eval().to(device)
        self._device = device

    @torch.no_grad()
    def __call__(self, pictures: Tensor) -> NDArray:
        """Return the features (n, 2048) of pictures in eight bits (n, 3, h, w)."""
        parts, found = pictures.split(_INCEPTION_BATCH), []
        with arithmetic("float32"):
            bar = {"leave": False, "file": sys.stdout, "unit": "batch", "delay": 2}
            for part in tqdm(parts, "Inception", **bar):
                (judged,) = self._network(part.to(self._device).float().div(255))
                found.append(judged.flatten(1).cpu())
        return torch.cat(found).double().numpy()
