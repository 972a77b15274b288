"""One feature vector over HTTP: the serving graph with the ONNX model against MLRun's stock V2 model server."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np

from .report import report
from .serving import SPEC, closed, make_model, run, server

PATH, REQUESTS = "/v2/models/netops/infer", 2000


def main() -> None:
    """Measure both servers in a closed loop; rates in requests/s."""
    random = np.random.default_rng(0)
    row = msgspec.json.encode({"inputs": random.normal(size=(1, len(SPEC.names))).round(4).tolist()})

    def requests(_lane: int) -> Iterator[bytes]:
        for _ in range(REQUESTS):
            yield row

    rates = {}
    with TemporaryDirectory() as folder:
        model = make_model(Path(folder) / "m")
        for kind in ("ours", "stock"):
            with server(kind, model, Path(folder) / "s") as served:
                run(closed(served.url, PATH, lambda lane: (row for _ in range(200)), 2))
                count, seconds = run(closed(served.url, PATH, requests, 2))
                rates[kind] = count / seconds
    report("serving_infer", rates["ours"], "MLRun V2 server, native XGBoost", rates["stock"])


if __name__ == "__main__":
    main()
