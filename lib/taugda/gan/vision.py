"""The one place that imports torchvision, so that it loads beside any build of torch.

A torchvision wheel made for CUDA cannot load its C++ operators beside a CPU-only torch, and fails
on import: it attaches shape functions to the operators ``nms`` and ``qnms`` whether or not they
exist.  Nothing here computes with operators, so their names are declared where they are missing.
"""

import importlib
from types import ModuleType

import torch

__all__ = ["torchvision"]

_NMS = "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
# The declarations last as long as this object does.
_declared: torch.library.Library | None = None


def _load() -> ModuleType:
    global _declared
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    _declared = torch.library.Library("torchvision", "DEF")
    _declared.define(_NMS)
    _declared.define(f"q{_NMS}")
    return importlib.import_module("torchvision")


torchvision = _load()
