"""Weights -> ONNX, node by node: the graph that onnxruntime runs fastest, made without torch.

Tracing the torch module gives a slower network (two LSTMs with gathers for each layer) that is
fixed to the traced length; ONNX's own LSTM reverses each line at its own last frame.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ocr.weights import FORMAT, Card, WeightsError, load_weights, write_atomically

if TYPE_CHECKING:
    import onnx

OPSET = 18


def export(weights: Path | str, out: Path | str) -> Path:
    """Write `weights` (.safetensors) as an ONNX network.

    Inputs: images uint8 lines x 1 x height x width (ink = 255), widths int64 lines. Output: scores
    float32 frames x lines x classes (log-probabilities). The card is in the file's metadata; what
    was tuned for the weights is copied beside it, unless something lies there. Raises
    WeightsError.
    """
    tensors, card = load_weights(weights)
    out = Path(out)
    if out.suffix != ".onnx":
        raise WeightsError(f"{out}: the name of an exported network ends in .onnx")
    if card.architecture.backbone != "residual":
        raise WeightsError(
            f"{weights}: only the residual backbone can be exported, "
            f"not {card.architecture.backbone}"
        )
    from ocr.lm.tune import keep_tuning

    write_atomically(out, build(tensors, card).SerializeToString())
    keep_tuning(Path(weights), out)
    return out


def set_card(network: Path | str, card: Card) -> None:
    """Put another card into an exported network."""
    import onnx

    model = onnx.load(network)
    metadata = {p.key: p.value for p in model.metadata_props}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {**metadata, "card": card.model_dump_json()})
    write_atomically(Path(network), model.SerializeToString())


def build(tensors: dict[str, np.ndarray], card: Card) -> onnx.ModelProto:
    """The ONNX model of a residual CRNN's tensors."""
    try:
        from onnx import TensorProto, checker, helper
    except ModuleNotFoundError:
        raise WeightsError("exporting needs the package onnx: install the extra `export`") from None

    graph = _Graph(tensors)
    height = card.architecture.height
    x = _images(graph, card)
    x = _backbone(graph, card, x)
    x = _columns(graph, card, x)
    for layer in range(card.architecture.lstm_layers):
        x = _lstm(graph, f"lstm.{layer}", x, card.architecture.lstm_hidden)
    head = graph.constant(tensors["head.weight"].T)
    x = graph.node("MatMul", [x, head])
    x = graph.node("Add", [x, graph.constant(tensors["head.bias"])])
    if card.temperature != 1:
        x = graph.node("Div", [x, graph.constant(np.float32(card.temperature))])
    graph.node("LogSoftmax", [x], "scores", axis=2)

    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            card.name,
            [
                helper.make_tensor_value_info(
                    "images", TensorProto.UINT8, ["lines", 1, height, "width"]
                ),
                helper.make_tensor_value_info("widths", TensorProto.INT64, ["lines"]),
            ],
            [
                helper.make_tensor_value_info(
                    "scores", TensorProto.FLOAT, ["frames", "lines", len(card.alphabet)]
                )
            ],
            graph.initialisers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=9,
        producer_name="ocr",
    )
    helper.set_model_props(model, {"format": FORMAT, "card": card.model_dump_json()})
    checker.check_model(model)
    return model


class _Graph:
    """Nodes and initialisers under way. Values are names of tensors."""

    def __init__(self, tensors: dict[str, np.ndarray]):
        self.tensors = tensors
        self.nodes: list = []
        self.initialisers: list = []

    def node(self, kind: str, inputs: list[str], output: str = "", **attributes) -> str:
        from onnx import helper

        output = output or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, value) -> str:
        """Large tensors that float16 holds exactly are stored so; the runtime widens them once."""
        from onnx import TensorProto, numpy_helper

        array = np.asarray(value)
        name = f"c{len(self.initialisers)}"
        half = array.size > 256 and array.dtype == np.float32
        if half:
            narrow = array.astype(np.float16)
            half = bool((narrow.astype(np.float32) == array).all())
        stored = np.ascontiguousarray(narrow if half else array)
        self.initialisers.append(numpy_helper.from_array(stored, name))
        return self.node("Cast", [name], to=TensorProto.FLOAT) if half else name

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))


def _images(graph: _Graph, card: Card) -> str:
    """Pixels in [0, 1], paper behind each line's own width, guard on the right."""
    from onnx import TensorProto

    step = card.architecture.frame_width
    x = graph.node("Cast", ["images"], to=TensorProto.FLOAT)
    x = graph.node("Mul", [x, graph.constant(np.float32(1 / 255))])
    width = graph.node("Shape", [x], start=3, end=4)
    one = graph.constant(np.int64(1))
    zero = graph.constant(np.int64(0))
    positions = graph.node("Range", [zero, graph.node("Squeeze", [width]), one])
    widths = graph.node("Unsqueeze", ["widths", graph.integers(1, 2, 3)])
    own = graph.node("Cast", [graph.node("Less", [positions, widths])], to=TensorProto.FLOAT)
    x = graph.node("Mul", [x, own])
    # up to a whole frame, then as much paper as the convolutions can see
    over = graph.node("Mod", [graph.node("Neg", [width]), graph.integers(step)])
    right = graph.node(
        "Add", [over, graph.integers(card.architecture.guard(card.architecture.radius))]
    )
    pads = graph.node("Concat", [graph.integers(0, 0, 0, 0, 0, 0, 0), right], axis=0)
    return graph.node("Pad", [x, pads])


def _backbone(graph: _Graph, card: Card, x: str) -> str:
    x = _conv(graph, "backbone.layers.0", x, "backbone.layers.1", stride=2)
    x = graph.node("Relu", [x])
    x = _conv(graph, "backbone.layers.3", x, "backbone.layers.4", stride=2)
    x = graph.node("Relu", [x])
    layer = 6
    for stage in card.architecture.stages:
        if stage.pool != (1, 1):
            pool = list(stage.pool)
            x = graph.node("MaxPool", [x], kernel_shape=pool, strides=pool)
            layer += 1
        for _ in range(stage.blocks):
            name = f"backbone.layers.{layer}"
            y = _conv(graph, f"{name}.conv1", x, f"{name}.norm1")
            y = graph.node("Relu", [y])
            y = _conv(graph, f"{name}.conv2", y, f"{name}.norm2")
            if f"{name}.project.weight" in graph.tensors:
                x = _conv(graph, f"{name}.project", x)
            x = graph.node("Relu", [graph.node("Add", [y, x])])
            layer += 1
    return x


def _conv(graph: _Graph, name: str, x: str, norm: str = "", stride: int = 1) -> str:
    weight = graph.tensors[f"{name}.weight"]
    inputs = [x, graph.constant(weight)]
    if f"{name}.bias" in graph.tensors:
        inputs.append(graph.constant(graph.tensors[f"{name}.bias"]))
    size = weight.shape[2]
    x = graph.node(
        "Conv", inputs, kernel_shape=[size, size], strides=[stride] * 2, pads=[size // 2] * 4
    )
    if not norm:
        return x
    # kept as a node: folded here, the weights would no longer be those of the torch module
    parts = ("weight", "bias", "running_mean", "running_var")
    values = [graph.constant(graph.tensors[f"{norm}.{part}"]) for part in parts]
    return graph.node("BatchNormalization", [x, *values], epsilon=1e-5)


def _columns(graph: _Graph, card: Card, x: str) -> str:
    """Column max-pool and the guard cut off: T x B x C. Adds `frames` of each line to the graph."""
    from onnx import TensorProto

    step = card.architecture.frame_width
    x = graph.node("ReduceMax", [x, graph.integers(2)], keepdims=0)
    end = graph.integers(-card.architecture.guard(card.architecture.radius) // step)
    x = graph.node("Slice", [x, graph.integers(0), end, graph.integers(2)])
    rounded = graph.node("Add", ["widths", graph.integers(step - 1)])
    frames = graph.node("Div", [rounded, graph.integers(step)])
    graph.node("Cast", [frames], "frames", to=TensorProto.INT32)
    return graph.node("Transpose", [x], perm=[2, 0, 1])


def _lstm(graph: _Graph, name: str, x: str, hidden: int) -> str:
    def gates(part: str) -> np.ndarray:
        """torch orders the gates i f g o, ONNX i o f g; directions are stacked."""
        stacked = []
        for direction in ("forwards", "backwards"):
            i, f, g, o = np.split(graph.tensors[f"{name}.{direction}.{part}_l0"], 4)
            stacked.append(np.concatenate([i, o, f, g]))
        return np.stack(stacked)

    bias = np.concatenate([gates("bias_ih"), gates("bias_hh")], 1)
    y = graph.node(
        "LSTM",
        [
            x,
            graph.constant(gates("weight_ih")),
            graph.constant(gates("weight_hh")),
            graph.constant(bias),
            "frames",
        ],
        hidden_size=hidden,
        direction="bidirectional",
    )
    # T x 2 x B x hidden -> T x B x 2 hidden
    y = graph.node("Transpose", [y], perm=[0, 2, 1, 3])
    return graph.node("Reshape", [y, graph.integers(0, 0, -1)])
