"""Memory (MB) of a server that holds an hour of 10,000 devices at 5 s, and the time a snapshot of it takes."""

import multiprocessing
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from .report import report
from .serving import METRICS, make_model

DEVICES, TICKS = 10_000, 720


def main() -> None:
    """Fill the state in this process: what is sent has no part in its size."""
    import psutil

    from netops.serving.engine.champion import FixedModel
    from netops.serving.engine.pipeline import Pipeline
    from netops.serving.engine.runtime import Runtime
    from netops.serving.engine.samples import Samples

    with TemporaryDirectory() as folder:
        model = Path(folder) / "m"
        fit = multiprocessing.get_context("spawn").Process(target=make_model, args=(model,))
        fit.start()
        fit.join()
        base = psutil.Process().memory_info().rss / 1e6
        runtime = Runtime("demo", FixedModel("bench", model), folder=Path(folder) / "s")
        pipeline, random = Pipeline(runtime), np.random.default_rng(0)
        names = [f"device-{device}" for device in range(DEVICES)]
        for tick in range(TICKS):
            times = np.full(DEVICES, (1_700_000_000 + 5 * tick) * 10**9)
            work = pipeline.validate(Samples(names, times.tolist(), times, random.random((DEVICES, len(METRICS)))))
            pipeline.features(work)
        since = time.perf_counter()
        runtime.save()
        seconds = time.perf_counter() - since
        memory = psutil.Process().memory_info()
        size = (Path(folder) / "s" / "state.bin").stat().st_size / 1e6
        report(
            "serving_memory",
            memory.rss / 1e6,
            before_any_device_mb=base,
            state_mb=runtime.state.engine.nbytes / 1e6,
            snapshot_mb=size,
            snapshot_seconds=seconds,
        )


if __name__ == "__main__":
    main()
