"""Networks in onnxruntime."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ocr.errors import OcrError

# name, type and sizes of what goes into a network or comes out of it; None: any size
Port = tuple[str, str, tuple[int | None, ...]]

if TYPE_CHECKING:
    import onnxruntime


def silent_onnxruntime() -> ModuleType:
    """onnxruntime, which from 1.29 on keeps a number of this machine in the user's cache and tells
    its maker what was opened, unless it is told not to; ORT_DISABLE_TELEMETRY=0 lets it."""
    chosen = os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime as ort

    if chosen != "0" and hasattr(ort, "disable_telemetry_events"):
        ort.disable_telemetry_events()  # where somebody else has imported it before
    return ort


def open_network(
    path: Path | str, threads: int, error: type[OcrError]
) -> onnxruntime.InferenceSession:
    """The network of an .onnx file on the CPU. Raises `error`, naming the file."""
    ort = silent_onnxruntime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as cause:  # onnxruntime raises a class of its own for each cause
        raise error(f"{path}: cannot be loaded by onnxruntime: {cause}") from None


def require_ports(
    network: onnxruntime.InferenceSession, inputs: list[Port], outputs: list[Port], error: OcrError
) -> None:
    """Raise the error where a network takes or gives anything else: it would fail at each run."""
    for wanted, found in ((inputs, network.get_inputs()), (outputs, network.get_outputs())):
        if len(wanted) != len(found) or not all(map(_is_port, found, wanted)):
            raise error


def _is_port(found: onnxruntime.NodeArg, wanted: Port) -> bool:
    name, kind, sizes = wanted
    return (
        found.name == name
        and found.type == f"tensor({kind})"
        and len(found.shape) == len(sizes)
        and all(a == b for a, b in zip(found.shape, sizes, strict=True) if b is not None)
    )
