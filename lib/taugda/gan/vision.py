"""The one place that imports torchvision, so that it loads beside any build of torch.

A torchvision wheel made for CUDA cannot load its C++ operators beside a CPU-only torch, and fails
on import: it attaches shape functions to the operators ``nms`` and ``qnms`` whether or not they
exist.  Nothing here computes with operators, so their names are declared where they are missing.
"""

import torch

__all__ = ["torchvision"]

try:
    import torchvision
except RuntimeError as error:
    if "torchvision::nms" not in str(error):
        raise
    declared = torch.library.Library("torchvision", "DEF")  # they last as long as this object
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision
