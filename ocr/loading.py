"""`load`: from the name or path of weights to a Recogniser."""

from __future__ import annotations

from pathlib import Path

from ocr.emissions import Emissions, OnnxEmissions, TorchEmissions
from ocr.recogniser import Recogniser
from ocr.weights import WeightsError

DEFAULT = "latin-small"

# in a wheel the weights lie inside the package, in a checkout beside it
_PLACES = (Path(__file__).parent / "shipped", Path(__file__).parent.parent / "weights")


def find_weights(name: Path | str = DEFAULT) -> Path:
    """A path as it is; a bare name like "latin-small" among the shipped weights (.onnx first)."""
    path = Path(name)
    if path.suffix in (".onnx", ".safetensors"):
        if path.is_file():
            return path
        raise WeightsError(f"{path}: no such file")
    for place in _PLACES:
        for suffix in (".onnx", ".safetensors"):
            if (place / f"{name}{suffix}").is_file():
                return place / f"{name}{suffix}"
    shipped = sorted({p.stem for place in _PLACES for p in place.glob("*.safetensors")})
    raise WeightsError(f"no weights called {name}; shipped: {', '.join(shipped) or 'none'}")


def load(weights: Path | str = DEFAULT, *, device: str = "cpu", threads: int = 1) -> Recogniser:
    """A recogniser with shipped weights (by name), or with those of a file.

    `.onnx` runs in onnxruntime with `threads`; `.safetensors`, or another `device` than "cpu",
    needs torch (the extra `train`). Raises WeightsError.
    """
    path = find_weights(weights)
    if device != "cpu" and path.suffix == ".onnx":
        path = path.with_suffix(".safetensors")
    emissions: Emissions
    if path.suffix == ".onnx":
        emissions = OnnxEmissions(path, threads)
    else:
        try:
            emissions = TorchEmissions.load(path, device)
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise WeightsError(
                f"{path}: reading .safetensors needs torch: install the extra `train`, "
                "or use the exported .onnx"
            ) from None
    return Recogniser(emissions)
