"""The ONNX graph: the network as torch's exporter writes it, with the way from images and back to images around it.

The whole takes uint8 images ``picture`` ``(N, H, W, C)`` of any size and gives ``translated`` ``(N, H, W, C')``. Two
values inside have names: from `INPUT` to `OUTPUT` it is the network alone, float32 ``(N, C, H, W)`` in [-1, 1] with
sides of a multiple, and `cut` takes that out again for whoever converts and pads images himself.
"""

import copy
import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from viceversa.errors import ConfigError
from viceversa.extras import need
from viceversa.networks.layers import InstanceNorm

INPUT, OUTPUT = "network_input", "network_output"
_OPSET = 18
_SMALLEST_PX = 8  # as of `viceversa.inference.translator.pad_to_multiple`; the parity check fails if they differ
_LARGEST_PX = 2**16

# What `pad_to_multiple` does, as indices: a triangular wave, 0 1 2 1 0 1 2 ... for 3 pixels.
_INDICES = """
    {side}_1d = Shape <start = {axis}, end = {next_axis}> (picture)
    {side} = Squeeze ({side}_1d)
    {side}_least = Max ({side}, smallest)
    {side}_raised = Add ({side}_least, multiple_less_one)
    {side}_times = Div ({side}_raised, multiple)
    {side}_padded = Mul ({side}_times, multiple)
    {side}_missing = Sub ({side}_padded, {side})
    {side}_offset = Div ({side}_missing, two)
    {side}_places = Range (zero, {side}_padded, one)
    {side}_moved = Sub ({side}_places, {side}_offset)
    {side}_less_one = Sub ({side}, one)
    {side}_turn = Mul ({side}_less_one, two)
    {side}_period = Max ({side}_turn, one)
    {side}_wave = Mod ({side}_moved, {side}_period)
    {side}_way_back = Sub ({side}_turn, {side}_wave)
    {side}_folded = Min ({side}_wave, {side}_way_back)
    {side}_indices = Max ({side}_folded, zero)
    {side}_first = Unsqueeze ({side}_offset, axis_0)
    {side}_last = Add ({side}_first, {side}_1d)
"""
_GRAPH = """<ir_version: 9, opset_import: ["" : {opset}]>
translator (uint8[batch, height, width, {takes}] picture) => (uint8[batch, height, width, {gives}] translated)
<int64 zero = {{0}}, int64 one = {{1}}, int64 two = {{2}}, int64 smallest = {{{smallest}}},
 int64 multiple = {{{multiple}}}, int64 multiple_less_one = {{{multiple_less_one}}},
 int64[1] axis_0 = {{0}}, int64[2] axes_2_3 = {{2, 3}},
 float half_range = {{127.5}}, float unit = {{1.0}}, float black = {{0.0}}, float white = {{255.0}}>
{{
    {height}
    {width}
    tall = Gather <axis = 1> (picture, height_indices)
    padded = Gather <axis = 2> (tall, width_indices)
    channels_first = Transpose <perm = [0, 3, 1, 2]> (padded)
    floats = Cast <to = 1> (channels_first)
    halved = Div (floats, half_range)
    {INPUT} = Sub (halved, unit)
    {OUTPUT} = Network ({INPUT})
    starts = Concat <axis = 0> (height_first, width_first)
    ends = Concat <axis = 0> (height_last, width_last)
    cropped = Slice ({OUTPUT}, starts, ends, axes_2_3)
    raised = Add (cropped, unit)
    scaled = Mul (raised, half_range)
    rounded = Round (scaled)
    clipped = Clip (rounded, black, white)
    levels = Cast <to = 2> (clipped)
    translated = Transpose <perm = [0, 2, 3, 1]> (levels)
}}"""


def network_graph(network: nn.Module) -> Any:
    """The network alone as an ONNX model, from `INPUT` to `OUTPUT`, for every batch and all multiples of its multiple.

    Dropout is off and batch normalisation a part of the convolutions. The network itself is left as it is.

    Raises:
        ConfigError: The network does something that ONNX does not have.
        MissingExtra: An optional part is not installed.
    """
    need("onnx", "export")
    need("onnxscript", "export")
    multiple, channels = int(network.multiple), int(network.config.in_channels)  # pyright: ignore
    # Twice and three times the multiple: where both sides were equal, the exporter could take them for one.
    example = torch.zeros(2, channels, 2 * multiple, 3 * multiple)
    most = _LARGEST_PX // multiple
    height, width = (torch.export.Dim(name, min=1, max=most) for name in ("rows", "columns"))
    sizes = {0: torch.export.Dim("batch"), 2: multiple * height, 3: multiple * width}
    try:
        with quiet():
            program: Any = torch.onnx.export(
                _with_plain_norm(network), (example,), dynamo=True, opset_version=_OPSET, dynamic_shapes=(sizes,),
                input_names=[INPUT], output_names=[OUTPUT], verbose=False,
            )  # fmt: skip
    except torch.onnx.OnnxExporterError as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(f"This network cannot be written as ONNX: {reason}") from error
    return _without_traces(program.model_proto)


def with_pictures(graph: Any, network: nn.Module) -> Any:
    """`network_graph`, or what was made of it, with the way from uint8 images of any size and back around it."""
    import onnx.checker
    import onnx.parser

    config: Any = network.config
    multiple = int(network.multiple)  # pyright: ignore[reportArgumentType]
    text = _GRAPH.format(
        opset=_OPSET, INPUT=INPUT, OUTPUT=OUTPUT, takes=config.in_channels, gives=config.out_channels,
        smallest=_SMALLEST_PX, multiple=multiple, multiple_less_one=multiple - 1,
        height=_INDICES.format(side="height", axis=1, next_axis=2),
        width=_INDICES.format(side="width", axis=2, next_axis=3),
    )  # fmt: skip
    whole: Any = onnx.parser.parse_model(text)
    before_and_after = list(whole.graph.node)
    place = next(index for index, node in enumerate(before_and_after) if node.op_type == "Network")
    del whole.graph.node[:]
    whole.graph.node.extend([*before_and_after[:place], *graph.graph.node, *before_and_after[place + 1 :]])
    whole.graph.initializer.extend(graph.graph.initializer)
    whole.ir_version = max(whole.ir_version, graph.ir_version)
    onnx.checker.check_model(whole)
    return whole


def cut(whole: Any, channels: tuple[int, int]) -> Any:
    """The network alone, out of what `with_pictures` made: float32 ``(N, C, H, W)`` from `INPUT` to `OUTPUT`.

    Args:
        whole: The model; left as it is.
        channels: How many go in and come out.

    Raises:
        KeyError: There is no way from `INPUT` to `OUTPUT`.
    """
    from onnx import TensorProto, helper

    makers = {name: node for node in whole.graph.node for name in node.output}
    needed, waiting = {INPUT}, [OUTPUT]
    constants = {tensor.name for tensor in whole.graph.initializer}
    while waiting:
        name = waiting.pop()
        if name and name not in needed and name not in constants:
            needed.add(name)
            waiting.extend(makers[name].input)
    # Nodes are in the order of computation, and stay so.
    nodes = [node for node in whole.graph.node if node.output and node.output[0] in needed - {INPUT}]
    inputs = {name for node in nodes for name in node.input}
    if INPUT not in inputs:
        raise KeyError(INPUT)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", count, "height", "width"])
        for name, count in zip((INPUT, OUTPUT), channels, strict=True)
    ]
    weights = [tensor for tensor in whole.graph.initializer if tensor.name in inputs]
    graph = helper.make_graph(nodes, "network", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=whole.opset_import, ir_version=whole.ir_version)


@contextmanager
def quiet() -> Generator[None]:
    """Holds back what exporters and quantizers say on the way, which is for their own authors."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _with_plain_norm(network: nn.Module) -> nn.Module:
    """A copy on the CPU whose instance norms are torch's own: they become one ONNX node each, ours five."""
    copied = copy.deepcopy(network).to(device="cpu", dtype=torch.float32).eval()
    for module in list(copied.modules()):
        for name, child in module.named_children():
            if isinstance(child, InstanceNorm):
                setattr(module, name, nn.InstanceNorm2d(child.channels, eps=child.eps).eval())
    return copied


def _without_traces(model: Any) -> Any:
    """Without the exporter's notes on where in which source file each node comes from."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for thing in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del thing.metadata_props[:]
    return model
