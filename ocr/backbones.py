"""torchvision networks as backbones: cut for text lines, trained from random weights.

Only networks whose columns do not see the whole line are offered (no squeeze-and-excitation): what
a line reads as must not depend on its padding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def import_torchvision():
    """torchvision.models, also beside a torch build for which its compiled operators do not load.

    There the import fails for two missing operators that no backbone uses; declaring their schemas
    is enough.
    """
    try:
        import torchvision.models as models
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        # the operators' declarations must outlive this call
        import_torchvision.library = library  # type: ignore[attr-defined]
        import sys

        for name in [m for m in sys.modules if m.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        import torchvision.models as models
    return models


class TorchvisionBackbone(nn.Module):
    """B x 1 x H x W -> B x C x H' x T with 4 px a frame: later strides act on the height only."""

    def __init__(self, layers: nn.Module, channels: int):
        super().__init__()
        self.layers = layers
        self.channels = channels
        self.radius = _narrow(layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def torchvision_backbone(name: str) -> TorchvisionBackbone:
    """resnet18 or mobilenet_v2 with one input channel and without its classifier."""
    models = import_torchvision()
    if name == "resnet18":
        net = models.resnet18(weights=None)
        net.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
        parts = [net.conv1, net.bn1, net.relu, net.maxpool]
        parts += [net.layer1, net.layer2, net.layer3, net.layer4]
        return TorchvisionBackbone(nn.Sequential(*parts), 512)
    if name == "mobilenet_v2":
        features = models.mobilenet_v2(weights=None).features[:-1]
        features[0][0] = nn.Conv2d(1, 32, 3, stride=2, padding=1, bias=False)
        return TorchvisionBackbone(features, 320)
    raise ValueError(f"no backbone called {name}")


def _narrow(layers: nn.Module) -> int:
    """Turn strides behind the first two into (2, 1); returns the receptive radius in pixels."""
    radius, step = 0, 1
    for name, layer in layers.named_modules():
        if not isinstance(layer, (nn.Conv2d, nn.MaxPool2d)):
            continue
        stride = _pair(layer.stride)[1]
        if "downsample" in name:  # the parallel 1x1 path of a block: same stride, no radius
            layer.stride = (_pair(layer.stride)[0], 1)
            continue
        radius += step * (_pair(layer.kernel_size)[1] // 2)
        if stride == 2 and step == 4:
            layer.stride = (2, 1)
        else:
            step *= stride
    return radius


def _pair(size: int | tuple[int, ...]) -> tuple[int, ...]:
    return size if isinstance(size, tuple) else (size, size)
