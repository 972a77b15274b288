"""Several float64 numbers as one value in a kernel (:mod:`netops.kernels`): LANES metrics by one instruction.

Each lane is computed as a number of its own would be, to the bit. LLVM takes what the processor has: an operation
on four lanes is one instruction with AVX, two with SSE2 or NEON.
"""

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

if TYPE_CHECKING:
    from llvmlite.ir import IRBuilder, Value
    from numba.core.base import BaseContext
    from numba.core.typing import Context, Signature

    #: Writes the code of a call.
    Generate = Callable[[BaseContext, IRBuilder, Signature, Sequence[Value]], Value]
    Typed = tuple[Signature, Generate]

LANES = 4
#: LANES numbers, or flags, in a kernel; outside of one there are none.
Lanes: TypeAlias = Any

_NUMBERS = ir.VectorType(ir.DoubleType(), LANES)
_FLAGS = ir.VectorType(ir.IntType(1), LANES)
_INDEX = ir.IntType(32)


class LanesType(types.Type):
    """Numba's type of LANES numbers, or of LANES flags."""


numbers, flags = LanesType(name="numbers"), LanesType(name="flags")


@register_model(LanesType)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: LanesType) -> None:
        super().__init__(manager, kind, _NUMBERS if kind == numbers else _FLAGS)


def _register(
    symbol: Callable[[Any, Any], Any],
    result: LanesType,
    given: LanesType,
    emit: "Callable[[IRBuilder, Value, Value], Value]",
) -> None:
    """Let an operator of two lanes be one instruction."""

    @infer_global(symbol)
    class _Typing(ConcreteTemplate):
        cases: ClassVar = [signature(result, given, given)]

    @lower_builtin(symbol, given, given)
    def generate(
        _context: "BaseContext", builder: "IRBuilder", _signature: "Signature", values: "Sequence[Value]"
    ) -> "Value":
        return emit(builder, *values)


for _symbol, _result, _given, _emit in (
    (operator.add, numbers, numbers, lambda builder, a, b: builder.fadd(a, b)),
    (operator.sub, numbers, numbers, lambda builder, a, b: builder.fsub(a, b)),
    (operator.mul, numbers, numbers, lambda builder, a, b: builder.fmul(a, b)),
    (operator.truediv, numbers, numbers, lambda builder, a, b: builder.fdiv(a, b)),
    (operator.eq, flags, numbers, lambda builder, a, b: builder.fcmp_ordered("==", a, b)),
    (operator.gt, flags, numbers, lambda builder, a, b: builder.fcmp_ordered(">", a, b)),
    (operator.ne, flags, numbers, lambda builder, a, b: builder.fcmp_unordered("!=", a, b)),
    (operator.and_, flags, flags, lambda builder, a, b: builder.and_(a, b)),
    (operator.or_, flags, flags, lambda builder, a, b: builder.or_(a, b)),
):
    _register(_symbol, _result, _given, _emit)


@intrinsic
def where(context: "Context", condition: LanesType, a: LanesType, b: LanesType) -> "Typed":
    """Return the lanes of a where a flag is set, else those of b."""
    return a(condition, a, b), lambda _context, builder, _signature, values: builder.select(*values)


@intrinsic
def root(context: "Context", a: LanesType) -> "Typed":
    """Return the square root of each lane."""

    def generate(
        _context: "BaseContext", builder: "IRBuilder", _signature: "Signature", values: "Sequence[Value]"
    ) -> "Value":
        kind = ir.FunctionType(_NUMBERS, [_NUMBERS])
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.sqrt.v{LANES}f64")
        return builder.call(function, values)

    return numbers(a), generate


@intrinsic
def each(context: "Context", number: types.Float) -> "Typed":
    """Return lanes that are all the same number."""

    def generate(
        _context: "BaseContext", builder: "IRBuilder", _signature: "Signature", values: "Sequence[Value]"
    ) -> "Value":
        nothing = ir.Constant(_NUMBERS, ir.Undefined)
        first = builder.insert_element(nothing, values[0], ir.Constant(_INDEX, 0))
        return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES))

    return numbers(types.float64), generate


@intrinsic
def load(context: "Context", array: types.Array, index: types.Integer) -> "Typed":
    """Return the LANES numbers of a one-dimensional array from an index on, which is not checked."""

    def generate(
        context: "BaseContext", builder: "IRBuilder", signature: "Signature", values: "Sequence[Value]"
    ) -> "Value":
        return builder.load(_pointer(context, builder, signature.args[0], values[0], values[1]), align=8)

    return numbers(array, types.int64), generate


@intrinsic
def store(context: "Context", array: types.Array, index: types.Integer, a: LanesType) -> "Typed":
    """Write LANES numbers into a one-dimensional array from an index on, which is not checked."""

    def generate(
        context: "BaseContext", builder: "IRBuilder", signature: "Signature", values: "Sequence[Value]"
    ) -> "Value":
        builder.store(values[2], _pointer(context, builder, signature.args[0], values[0], values[1]), align=8)
        return context.get_dummy_value()

    return types.none(array, types.int64, a), generate


def _pointer(
    context: "BaseContext", builder: "IRBuilder", kind: "types.Array", array: "Value", index: "Value"
) -> "Value":
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index], inbounds=True), _NUMBERS.as_pointer())
