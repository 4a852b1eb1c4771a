import torch
from taugda.gan.data.images import Images


def load(name, *, path=None, resolution=None, download=False, cache=None):
    from sklearn.datasets import load_digits

    found = load_digits()
    return Images(
        torch.from_numpy(found.images.astype("uint8")).unsqueeze(1),
        16,
        "digits",
        "scikit-learn's handwritten digits, 8 x 8",
        torch.from_numpy(found.target).long(),
    )
