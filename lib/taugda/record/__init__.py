"""The notebook's side of a run: its record, and what other runs left."""

from taugda.record.collect import Finished, finished
from taugda.record.run import Run

__all__ = ["Finished", "Run", "finished"]
