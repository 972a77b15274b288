"""A process that fits one model: jobs come in as lines of JSON on its standard input, answers go out the same way.

It is started as ``python -m netops.training.worker FAMILY THREADS`` and begins to import what its family needs at
once, so that it can be started while the data are still made. It ends with its parent: at the end of its input.

Modules of NetOps are imported by the functions that need them, after the number of threads is set, which their
libraries read when they are imported.
"""

import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from typing import TextIO

from netops.errors import NetopsError
from netops.json_types import JsonDict

#: What Keras and XGBoost import when they can, and training does without: 150 MB and half of the import time.
UNNEEDED = {
    "tensorflow": ("pandas", "scipy", "sklearn", "matplotlib", "IPython"),
    "xgboost": ("pandas", "sklearn"),
}
#: Optional imports of scikit-learn that it assumes to exist once pandas has been imported.
UNNEEDED_TO_LOAD = {"sklearn": ("pandas",), "extra_trees": ("pandas",)}


def main() -> None:
    """Answer jobs until the input ends."""
    family, threads = sys.argv[1], int(sys.argv[2])
    out = _own_output()
    _fix_threads(threads)
    for name in (*UNNEEDED.get(family, ()), *UNNEEDED_TO_LOAD.get(family, ())):
        sys.modules[name] = None  # type: ignore[assignment]
    jobs: queue.SimpleQueue[tuple[float, str]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    _load(family, threads)
    for name in UNNEEDED_TO_LOAD.get(family, ()):
        del sys.modules[name]
    while True:
        _answer(out, _work(*jobs.get(), out))


def _own_output() -> TextIO:
    """Reserve standard output for responses: output of libraries goes to standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def _fix_threads(threads: int) -> None:
    for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
        os.environ[f"{name}_NUM_THREADS"] = str(threads)


def _listen(jobs: "queue.SimpleQueue[tuple[float, str]]") -> None:
    for line in sys.stdin:
        # A budget runs from here on, also while libraries are still being loaded.
        jobs.put((time.monotonic(), line))
    # The parent closed the input or has ended: the result is no longer required.
    os._exit(0)


def _load(family: str, threads: int) -> None:
    try:
        import pyarrow

        # Late: its libraries read the number of threads when they are imported.
        from netops.training.families.registry import FAMILIES

        FAMILIES[family]().load(threads)
        # Arrow imports pandas at its first conversion: trigger that now.
        pyarrow.chunked_array([[0.0]]).to_numpy()
    except Exception:  # noqa: BLE001
        # The job meets the same error and reports it.
        traceback.print_exc()


def _work(since: float, line: str, out: TextIO) -> JsonDict:
    try:
        # Late: its libraries read the number of threads when they are imported.
        from netops.training.fitting import Job, fit

        card = fit(
            Job(**json.loads(line)),
            lambda what: _answer(out, {"doing": what}),
            lambda trial: _answer(out, {"trial": asdict(trial)}),
            since,
        )
        return {"card": card.to_dict()}
    except NetopsError as error:
        return {"error": str(error), "trace": traceback.format_exc()}
    except Exception as error:  # noqa: BLE001
        what = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"
        return {"error": what, "trace": traceback.format_exc()}


def _answer(out: TextIO, answer: Mapping[str, object]) -> None:
    out.write(json.dumps(answer) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
