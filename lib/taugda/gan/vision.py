"""The one place that imports torchvision.

The stock torchvision wheel is built for a CUDA torch.  Beside a CPU-only torch its C++ operators
cannot be loaded, and its import stops at the first of them that it describes to torch
(``torchvision::nms``).  Nothing here uses those operators, so where they are missing they are
declared, without an implementation, and the pure-Python parts (data sets, transforms, Inception)
can be imported.
"""

import importlib
import sys
from types import ModuleType

import torch

__all__ = ["import_torchvision"]

_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
# torch forgets a declaration when the object that made it is gone.
_declared: list[torch.library.Library] = []


def import_torchvision(name: str = "torchvision") -> ModuleType:
    """Import torchvision, or something that imports it.

    Parameters
    ----------
    name : str
        Module to import, such as ``torchvision.datasets`` or ``pytorch_fid.inception``.

    Returns
    -------
    module

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error) or _declared:
            raise
        # What was imported before the error must not be taken for the whole.
        for part in [m for m in sys.modules if m.partition(".")[0] == "torchvision"]:
            del sys.modules[part]
        library = torch.library.Library("torchvision", "DEF")
        for operator in _OPERATORS:
            library.define(operator)
        _declared.append(library)
    return importlib.import_module(name)
