"""Lines of syslog counted as a server does: processor time of a line, of a slice, and of samples with messages."""

import time
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from netops.config.durations import HOUR, MINUTE
from netops.features.spec import FeatureSpec
from netops.serving.engine.champion import FixedModel
from netops.serving.engine.pipeline import Pipeline
from netops.serving.engine.runtime import Runtime
from netops.serving.syslog.feeder import SLICE
from netops.serving.syslog.messages import LogLines

from .log_sender import DEVICES, device, lines
from .log_serving import columns
from .report import report
from .serving import METRICS, make_model

LINES = 100_000


def main() -> None:
    """Count lines of all devices, then send each a sample."""
    counted = columns()
    spec = FeatureSpec((*METRICS, *counted.names), (MINUTE, HOUR))
    with TemporaryDirectory() as folder:
        model = make_model(Path(folder) / "m", spec, logs=counted.to_dict())
        runtime = Runtime("demo", FixedModel("bench", model), folder=Path(folder) / "s")
        pipeline, start = Pipeline(runtime), time.time() - 60
        pipeline.run([_sample(number, start) for number in range(DEVICES)])
        alone = _time_samples(pipeline, start + 5)
        slices = _time_lines(LogLines(runtime))
        with_messages = _time_samples(pipeline, start + 90)
        runtime.close()
    report(
        "lines of syslog counted",
        LINES / sum(slices),
        unit="lines/s",
        us_per_line=sum(slices) / LINES * 1e6,
        slice_ms=float(np.median(slices) * 1e3),
        slice_p99_ms=float(np.percentile(slices, 99) * 1e3),
        us_per_sample=alone * 1e6,
        us_per_sample_with_messages=with_messages * 1e6,
    )


def _sample(number: int, at: float) -> dict[str, object]:
    return {"timestamp": at, "device": device(number), **dict.fromkeys(METRICS, 0.1)}


def _time_samples(pipeline: Pipeline, at: float) -> float:
    """Return the seconds that a sample takes, sent alone."""
    since = time.thread_time()
    for number in range(DEVICES):
        pipeline.run(_sample(number, at))
    return (time.thread_time() - since) / DEVICES


def _time_lines(add: LogLines) -> list[float]:
    """Return the seconds that each slice takes."""
    source, found = lines(), []
    for _ in range(LINES // SLICE):
        now = time.strftime("%b %e %H:%M:%S", time.gmtime())
        some = [line.rstrip("\n").replace("{now}", now) for line in islice(source, SLICE)]
        since = time.thread_time()
        add(some, ["127.0.0.1"] * SLICE)
        found.append(time.thread_time() - since)
    return found


if __name__ == "__main__":
    main()
