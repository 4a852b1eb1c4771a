"""Real pictures: loaded, kept in memory as bytes, and served in augmented batches."""

from taugda.gan.data.fetch import DataError
from taugda.gan.data.images import Batches, Images, prepare
from taugda.gan.data.sets import load

__all__ = ["Batches", "DataError", "Images", "load", "prepare"]
