"""The mutants of a module: its source with one operator, number or condition changed."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from cosmic_ray import plugins
from cosmic_ray.mutating import mutate_code

#: One replacement for each operator: a test that notices one notices most of the others.
OPERATORS = re.compile(
    r"core/(NumberReplacer|ReplaceTrueWithFalse|ReplaceFalseWithTrue|ReplaceAndWithOr|ReplaceOrWithAnd|AddNot"
    r"|ReplaceBreakWithContinue|ReplaceContinueWithBreak|ZeroIterationForLoop|ReplaceUnaryOperator_Delete_(Not|USub)"
    r"|ReplaceComparisonOperator_(Gt_GtE|GtE_Gt|Lt_LtE|LtE_Lt|Eq_NotEq|NotEq_Eq|Is_IsNot|IsNot_Is)"
    r"|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul|Mod_Mul))"
)
#: Lines that declare, and do nothing while a test runs: the ``*`` of a signature is no product, and how a kernel is
#: compiled or a record laid out makes it faster, not different.
_DECLARATIONS = re.compile(
    r"\s*(@dataclass\(frozen=True\)|if TYPE_CHECKING:|\*,$|align=True,$|_inlined = kernel\("
    r"|\"(cached|no_cpython_wrapper|no_cfunc_wrapper)\":)"
)


@dataclass(frozen=True)
class Mutant:
    """One change of a module.

    Attributes
    ----------
    name : str
        Operator and number.
    source : str
        The whole module, changed.
    line : int
        The first line that differs, from 1.
    """

    name: str
    source: str
    line: int


def mutants(path: Path) -> list[Mutant]:
    """Make all mutants of a module, in the order of its lines."""
    source = path.read_text()
    return sorted(_mutants(source), key=lambda mutant: (mutant.line, mutant.name))


def sample(found: list[Mutant], size: int) -> list[Mutant]:
    """Choose mutants at equal distances: the same ones as long as the module stays the same."""
    if len(found) <= size:
        return found
    return [found[index * len(found) // size] for index in range(size)]


def _mutants(source: str) -> Iterator[Mutant]:
    same = ast.dump(ast.parse(source))
    for name in filter(OPERATORS.fullmatch, plugins.operator_names()):
        operator = plugins.get_operator(name)()
        for number in count():
            changed = mutate_code(source, operator, number)
            if changed is None:
                break
            line = _first_difference(source, changed)
            # 1e150 + 1 is 1e150.
            if not _DECLARATIONS.match(source.splitlines()[line - 1]) and ast.dump(ast.parse(changed)) != same:
                yield Mutant(f"{name.removeprefix('core/')} {number}", changed, line)


def _first_difference(one: str, other: str) -> int:
    pairs = zip(one.splitlines(), other.splitlines(), strict=False)
    return next((number for number, (left, right) in enumerate(pairs, 1) if left != right), 0)
