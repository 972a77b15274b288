"""Try the mutants of the modules in ``modules.py``: ``python -m tests.mutation [NAME…] [--size N]``.

Exit code 1 if fewer than 90 % of the mutants of a module are noticed.
"""

import argparse
import importlib
import math
import os
import sys
from time import monotonic

from tests.mutation.modules import MODULES, ROOT, Module
from tests.mutation.mutants import Mutant, mutants, sample
from tests.mutation.trial import LIBRARIES, run_tests

#: Share of the mutants of a module that its tests have to notice.
WANTED = 0.9
#: Mutants of a module that are tried.
SIZE = 45


def main() -> None:
    """Print each module's score, and the mutants that no test notices."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("names", nargs="*", help="end of a module's name; all if none is given")
    parser.add_argument("--size", type=int, default=SIZE, help="mutants of a module, at equal distances")
    asked = parser.parse_args()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for library in LIBRARIES:
        importlib.import_module(library)
    chosen = [m for m in MODULES if not asked.names or any(m.name.endswith(name) for name in asked.names)]
    scores = [_score(module, asked.size) for module in chosen]
    sys.exit(any(score < WANTED for score in scores))


def _score(module: Module, size: int) -> float:
    source, since = (ROOT / module.path).read_text(), monotonic()
    passed, seconds = run_tests(module, source, limit=600)
    if not passed:
        sys.exit(f"{module.name}: its tests fail without a change: {' '.join(module.tests)}")
    # In processor time, which other work on the machine does not change, so that little room is enough.
    limit = 5 + 3 * math.ceil(seconds)
    every = mutants(ROOT / module.path)
    tried = sample(every, size)
    survivors = [mutant for mutant in tried if run_tests(module, mutant.source, limit)[0]]
    score, took = 1 - len(survivors) / len(tried), monotonic() - since
    noticed = f"{score:.0%} of {len(tried)} mutants noticed"
    print(f"{module.name}: {noticed} ({len(every)} in all, {took:.0f} s)", flush=True)
    for mutant in survivors:
        print(_shown(module, source, mutant), flush=True)
    return score


def _shown(module: Module, source: str, mutant: Mutant) -> str:
    lines = [text.splitlines()[mutant.line - 1].strip() for text in (source, mutant.source)]
    return f"  {module.path}:{mutant.line}: {mutant.name}\n    - {lines[0]}\n    + {lines[1]}"


if __name__ == "__main__":
    main()
