"""One step of a trained LSTM as an ONNX network of eight bits, for `ocr.lm.recurrent`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ocr.lm.ngram import LanguageModelError
from ocr.lm.recurrent import FORMAT
from ocr.weights import write_atomically

OPSET, IR = 18, 9


def export(
    tensors: Mapping[str, np.ndarray],
    symbols: Sequence[str],
    card: Mapping[str, Any],
    out: Path | str,
    eight_bits: bool = True,
) -> Path:
    """Write the network.

    tensors: `embedding` V x E; `input` 4H x E, `recurrent` 4H x H and `bias` 4H with the gates in
    torch's order (input, forget, cell, output); `output` V x H and `output_bias` V. symbols: the
    first stands for a line's end. Needs the package onnx: LanguageModelError says so.
    """
    out = Path(out)
    try:
        import onnx
    except ModuleNotFoundError:
        raise LanguageModelError(
            "a recurrent model is written with the package onnx: install the extra `export`"
        ) from None
    model = _Graph(onnx, eight_bits).model(tensors)
    onnx.helper.set_model_props(
        model,
        {
            "format": FORMAT,
            "symbols": json.dumps(list(symbols), ensure_ascii=False),
            "card": json.dumps(dict(card), ensure_ascii=False),
        },
    )
    onnx.checker.check_model(model)
    write_atomically(out, model.SerializeToString())
    return out


class _Graph:
    """Collects nodes and constants. What is multiplied is known to be small: h lies between -1 and
    1, x is one of V vectors. So its scale is fixed, and what is said of a text does not depend on
    the texts beside it, as it would if each product had a scale of its own making."""

    def __init__(self, onnx: Any, eight_bits: bool):
        self.onnx, self.eight_bits = onnx, eight_bits
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, values: np.ndarray) -> str:
        self.constants.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, kind: str, inputs: list[str], *outputs: str, **attributes: Any) -> str:
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, outputs, **attributes))
        return outputs[0]

    def product(self, left: str, largest: float, right: np.ndarray, name: str) -> str:
        """left (no element is beyond `largest`) times the constant `right`."""
        if not self.eight_bits:
            matrix = self.constant(f"{name}_matrix", right.astype(np.float32))
            return self.node("MatMul", [left, matrix], name)
        step = np.float32(largest / 127)
        # seven bits: products of eight overflow on processors without VNNI
        columns = np.abs(right).max(0).astype(np.float32) / 63 + np.float32(1e-12)
        matrix = self.constant(f"{name}_matrix", np.rint(right / columns).astype(np.int8))
        middle = self.constant(f"{name}_middle", np.array(128, np.uint8))
        scale = self.constant(f"{name}_step", np.array(step, np.float32))
        rounded = self.node("QuantizeLinear", [left, scale, middle], f"{name}_rounded")
        whole = self.node("MatMulInteger", [rounded, matrix, middle], f"{name}_whole")
        number = self.node("Cast", [whole], f"{name}_number", to=self.onnx.TensorProto.FLOAT)
        return self.node("Mul", [number, self.constant(f"{name}_scale", step * columns)], name)

    def model(self, tensors: Mapping[str, np.ndarray]) -> Any:
        onnx = self.onnx
        units, embedding = tensors["recurrent"].shape[1], tensors["embedding"]
        # the three sigmoids side by side: input, forget, output, and then the cell's tanh
        gates = np.arange(4 * units).reshape(4, units)[[0, 1, 3, 2]].ravel()
        table = self.constant("embedding", embedding.astype(np.float32))
        bias = self.constant("bias", tensors["bias"][gates].astype(np.float32))
        output_bias = self.constant("output_bias", tensors["output_bias"].astype(np.float32))
        sigmoids = self.constant("sigmoids", np.array([3 * units, units], np.int64))
        each = self.constant("each", np.array([units] * 3, np.int64))
        node = self.node
        x = node("Gather", [table, "symbols"], "x")
        largest = float(np.abs(embedding).max())
        from_x = self.product(x, largest, tensors["input"][gates].T, "from_x")
        from_h = self.product("h", 1.0, tensors["recurrent"][gates].T, "from_h")
        node("Add", [node("Add", [from_x, from_h], "sum"), bias], "gates")
        node("Split", ["gates", sigmoids], "three", "cell", axis=1)
        node("Split", [node("Sigmoid", ["three"], "opened"), each], "in", "forget", "out", axis=1)
        kept = node("Mul", ["forget", "c"], "kept")
        taken = node("Mul", ["in", node("Tanh", ["cell"], "candidate")], "taken")
        shown = node("Tanh", [node("Add", [kept, taken], "next_c")], "shown")
        node("Mul", ["out", shown], "next_h")
        product = self.product("next_h", 1.0, tensors["output"].T, "product")
        node("LogSoftmax", [node("Add", [product, output_bias], "logits")], "scores", axis=1)

        def value(name: str, columns: int) -> Any:
            return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", columns])

        symbols = onnx.helper.make_tensor_value_info("symbols", onnx.TensorProto.INT64, ["n"])
        outputs = {"scores": len(tensors["output"]), "next_h": units, "next_c": units}
        graph = onnx.helper.make_graph(
            self.nodes,
            "step",
            [symbols, value("h", units), value("c", units)],
            [value(name, columns) for name, columns in outputs.items()],
            self.constants,
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)])
        model.ir_version = IR
        return model
