"""The number formats of an exported network: float16, or convolutions in 8-bit integers."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from torch import Tensor

from viceversa.extras import need
from viceversa.inference.onnx.graph import INPUT, quiet

Dtype: TypeAlias = Literal["fp32", "fp16", "int8"]

_CONVOLUTIONS = ["Conv", "ConvTranspose"]


def to_fp16(graph: Any) -> Any:
    """Weights and all that is computed in float16; what goes in and comes out stays float32."""
    float16 = need("onnxruntime.transformers.float16", "export")
    models = need("onnxruntime.transformers.onnx_model", "export")
    with quiet():
        half = models.OnnxModel(float16.convert_float_to_float16(graph, keep_io_types=True))
        half.topological_sort()  # the casts at the ends were put last
        return half.model


def to_int8(graph: Any, pictures: Sequence[Tensor]) -> Any:
    """Convolutions in 8-bit integers, by the ranges that their inputs have on the images (static, QDQ).

    Measured on a trained ResNet generator, mean difference in grey levels: 1.0 with all convolutions and their results
    left as floats, which is done here; 0.5 with the first and the last in float32, at up to 1.6 times the time; 2.8
    with the results in 8 bits too, since normalisation lays bare what was rounded off.

    Args:
        graph: What `network_graph` made; left as it is.
        pictures: Each ``(1, C, H, W)`` in [-1, 1] with sides of the network's multiple.
    """
    import onnx

    quantization = need("onnxruntime.quantization", "export")
    with tempfile.TemporaryDirectory(prefix="viceversa-") as folder, quiet():
        before, after = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        onnx.save_model(graph, before)
        quantization.quantize_static(
            before,
            after,
            _reader(quantization.CalibrationDataReader, pictures),
            op_types_to_quantize=[*_CONVOLUTIONS, "Pad"],  # padding is faster on bytes than on floats
            per_channel=True,
            # Weights of 7 bits: processors without 8-bit dot products (before 2019 or so) overflow with 8.
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            extra_options={
                "OpTypesToExcludeOutputQuantization": _CONVOLUTIONS,
                "TensorQuantOverrides": _signed(graph, quantization.QuantType.QInt8),
            },
        )
        return onnx.load_model(after)


def _signed(graph: Any, int8: Any) -> dict[str, Any]:
    """Settings for values that enter a transposed convolution and may be below zero: their zero must be a zero.

    Otherwise OpenVINO computes it in floats, which made a whole network a tenth slower.
    """
    rectified = {name for node in graph.graph.node if node.op_type == "Relu" for name in node.output}
    entering = {node.input[0] for node in graph.graph.node if node.op_type == "ConvTranspose"}
    return {name: [{"quant_type": int8, "symmetric": True}] for name in entering - rectified}


def _reader(base: type[Any], pictures: Sequence[Tensor]) -> Any:
    class Reader(base):  # the base is known only once the extra is imported
        def __init__(self) -> None:
            self.left = iter(pictures)

        def get_next(self) -> dict[str, Any] | None:
            picture = next(self.left, None)
            return None if picture is None else {INPUT: np.ascontiguousarray(picture.numpy())}

    return Reader()
