"""Votes: several models in one file, which averages the log-odds of their calibrated risks.

Each member keeps its own scaling and its nodes, under names that begin with its family. A vote is read and served
like any other model; its risk is calibrated once more, as that of any other model is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netops.models.onnx_file import FEATURES, RISK
from netops.models.onnx_graph import Graph, needed
from netops.models.platt import Platt, sigmoid

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, ValueInfoProto

Constants = dict[str, npt.NDArray[Any]]
Floats = npt.NDArray[np.float64]

#: Family of the model cards of votes.
VOTE = "vote"
#: Between the family of a member and the name that a node has in its own file.
SEPARATOR = "/"


@dataclass(frozen=True)
class Member:
    """A model that votes.

    Attributes
    ----------
    model : bytes
        Its file.
    calibration : Platt
        How its risk becomes a probability.
    """

    model: bytes
    calibration: Platt


def vote_risks(risks: Mapping[str, Floats], calibrations: Mapping[str, Platt]) -> Floats:
    """Return the risks of a vote, as its file gives them.

    Parameters
    ----------
    risks : mapping
        Member → its risks, float64 array, n; NaN stays NaN.
    calibrations : mapping
        Member → its calibration.
    """
    total = np.zeros(len(next(iter(risks.values()))))
    for name, values in risks.items():
        total += calibrations[name].odds(values)
    return sigmoid(total / len(risks)).astype(np.float32).astype(np.float64)


def build_vote(members: Mapping[str, Member]) -> bytes:
    """Merge model files into one.

    Parameters
    ----------
    members : mapping
        Family → model; all take the same features.

    Returns
    -------
    bytes
        The same members give the same bytes.
    """
    import onnx
    from onnx import TensorProto, helper

    graph, total = Graph(), ""
    inputs: ValueInfoProto | None = None
    for name, member in members.items():
        prefix, made = f"{name}{SEPARATOR}", onnx.load_from_string(member.model)
        inputs = inputs or made.graph.input[0]
        _include(graph, made.graph, prefix)
        odds = member.calibration.build_odds(graph, f"{prefix}{RISK}", prefix)
        total = graph.add("Add", total, odds) if total else odds
    assert inputs is not None
    mean = graph.add("Div", total, graph.constant("members", np.array(float(len(members)))))
    graph.add("Cast", graph.add("Sigmoid", mean), output=RISK, to=TensorProto.FLOAT)
    risk = helper.make_tensor_value_info(RISK, TensorProto.FLOAT, ["rows"])
    return bytes(graph.finish([inputs], [risk], "netops").SerializeToString(deterministic=True))


def _include(graph: Graph, member: "GraphProto", prefix: str) -> None:
    """Add the nodes of a member that its risk depends on, and their constants, under names of their own."""
    nodes, constants, _ = needed(member, {RISK})
    for node in nodes:
        node.name = prefix + node.name
        for names in (node.input, node.output):
            names[:] = [name if name == FEATURES else prefix + name for name in names]
    for constant in constants:
        constant.name = prefix + constant.name
    graph.include(nodes, constants)


def members_of(graph: "GraphProto") -> list[tuple[str, "list[NodeProto]", Constants]]:
    """Take a model's graph apart.

    Returns
    -------
    list of tuple
        For each member: its name, and its nodes and constants under the names of its own file; a model that is no
        vote is its only member, without a name.
    """
    from onnx import numpy_helper

    constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
    names = [name.removesuffix(f"{SEPARATOR}centre") for name in constants if name.endswith(f"{SEPARATOR}centre")]
    if not names:
        return [("", list(graph.node), constants)]
    return [(name, *_member(graph, constants, f"{name}{SEPARATOR}")) for name in names]


def _member(graph: "GraphProto", constants: Constants, prefix: str) -> tuple["list[NodeProto]", Constants]:
    from onnx import NodeProto

    nodes = []
    for node in graph.node:
        if node.name.startswith(prefix):
            own = NodeProto()
            own.CopyFrom(node)
            own.input[:] = [name.removeprefix(prefix) for name in own.input]
            nodes.append(own)
    own_constants = {
        name.removeprefix(prefix): value for name, value in constants.items() if name.startswith(prefix)
    }
    return nodes, own_constants
