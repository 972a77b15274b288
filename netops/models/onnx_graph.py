"""A growing ONNX graph: constants and nodes with generated names."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

#: A value of a node's attribute.
Attribute = int | float | str | Sequence[int] | Sequence[float] | Sequence[str]
#: The domain of the tree ensembles, and the versions of the operator sets that the graphs are written in.
ML_DOMAIN = "ai.onnx.ml"
OPSETS = {"": 17, ML_DOMAIN: 3}
IR_VERSION = 8


def needed(
    graph: "GraphProto", outputs: Collection[str], given: Collection[str] = ()
) -> tuple["list[NodeProto]", "list[TensorProto]", set[str]]:
    """Return the nodes and constants of a graph that some outputs depend on, and the names of all that these use.

    Parameters
    ----------
    graph : GraphProto
    outputs : collection of str
        What is needed.
    given : collection of str
        Outputs of nodes that need not be computed.
    """
    names, nodes = set(outputs), []
    for node in reversed(graph.node):
        if names.isdisjoint(node.output) or not set(given).isdisjoint(node.output):
            continue
        names.update(node.input)
        nodes.append(node)
    return nodes[::-1], [constant for constant in graph.initializer if constant.name in names], names


class Graph:
    """Collect nodes and constants, then create a model, or extend one.

    Parameters
    ----------
    prefix : str
        Prefix of the generated names; required if the model already has such names.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []

    def constant(self, name: str, value: npt.NDArray[np.generic]) -> str:
        """Add a constant tensor and return its name."""
        from onnx import numpy_helper

        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, domain: str = "", output: str = "", **attributes: Attribute) -> str:
        """Add a node of one output and return the name of that output."""
        from onnx import helper

        name = output or f"{self._prefix}{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [name], name=name, domain=domain, **attributes))
        return name

    def include(self, nodes: "list[NodeProto]", constants: "list[TensorProto]") -> None:
        """Add nodes and constant tensors of another graph, under the names that they have."""
        self._nodes.extend(nodes)
        self._constants.extend(constants)

    def finish(self, inputs: "list[ValueInfoProto]", outputs: "list[ValueInfoProto]", name: str) -> "ModelProto":
        """Create the model and check it against the ONNX standard."""
        from onnx import checker, helper

        graph = helper.make_graph(self._nodes, name, inputs, outputs, self._constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="netops")
        checker.check_model(model)
        return model

    def extend(self, model: "ModelProto", outputs: "list[ValueInfoProto]") -> None:
        """Add the nodes to a model, after those it has, and further outputs; check it again."""
        from onnx import checker

        model.graph.node.extend(self._nodes)
        model.graph.initializer.extend(self._constants)
        model.graph.output.extend(outputs)
        checker.check_model(model)
