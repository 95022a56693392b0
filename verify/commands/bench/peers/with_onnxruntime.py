"""ONNX Runtime: the network as an ONNX model, which it optimises when it loads it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from verify.commands.bench.peers.peer import PeerUnsupported, Step
from verify.commands.bench.task import Task

OPERATORS = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "identity": "Identity"}
TYPES = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}
OPSET, FORMAT = 17, 8
"""Versions of the operators and of the file, which every ONNX Runtime of the last years reads."""


def _model(task: Task) -> bytes:
    """The network from ``x`` to ``classes``, its parameters included."""
    params, _, _ = task.arrays()
    nodes, constants, before = [], [], "x"
    for i, (weight, bias) in enumerate(params):
        constants += [
            numpy_helper.from_array(weight, f"weight{i}"),
            numpy_helper.from_array(bias, f"bias{i}"),
        ]
        nodes.append(helper.make_node("Gemm", [before, f"weight{i}", f"bias{i}"], [f"z{i}"]))
        before = f"z{i}"
        if i < len(params) - 1:
            nodes.append(helper.make_node(OPERATORS[task.hidden], [before], [f"a{i}"]))
            before = f"a{i}"
    nodes.append(helper.make_node("ArgMax", [before], ["classes"], axis=1, keepdims=0))
    x = helper.make_tensor_value_info("x", TYPES[task.dtype], ["rows", task.n_in])
    classes = helper.make_tensor_value_info("classes", TensorProto.INT64, ["rows"])
    graph = helper.make_graph(nodes, "network", [x], [classes], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=FORMAT)
    return bytes(model.SerializeToString())


def prediction_with_onnxruntime(task: Task) -> Step:
    """``session.run`` with NumPy in and out, as its users call it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    options.inter_op_num_threads = 1
    try:
        session: Any = onnxruntime.InferenceSession(_model(task), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise PeerUnsupported(str(error)) from error
    _, x, _ = task.arrays()
    inputs = {"x": np.ascontiguousarray(x)}
    return lambda: (0.0, [session.run(None, inputs)])
