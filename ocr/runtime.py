"""Networks in onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ocr.errors import OcrError

if TYPE_CHECKING:
    import onnxruntime


def open_network(
    path: Path | str, threads: int, error: type[OcrError]
) -> onnxruntime.InferenceSession:
    """The network of an .onnx file on the CPU. Raises `error`, naming the file."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as cause:  # onnxruntime raises a class of its own for each cause
        raise error(f"{path}: cannot be loaded by onnxruntime: {cause}") from None
