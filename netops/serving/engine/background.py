"""Background work of a server, between its requests: snapshots, and the lookup of champion and shadow."""

import asyncio
import gc
import sys
from time import perf_counter

from netops.serving.engine.champion import load_model
from netops.serving.engine.runtime import Runtime


def tune_interpreter() -> None:
    """Exclude loaded objects from garbage collection, collect less often, and switch threads more often."""
    # Large bodies, and the messages of a stream, are parsed in threads: switch to the event loop more often.
    sys.setswitchinterval(0.001)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def save(runtime: Runtime) -> None:
    """Write a snapshot; requests are processed between its frames."""
    since = perf_counter()
    try:
        async with runtime.changing:
            with runtime.snapshot() as writer:
                for part in writer.parts():
                    await asyncio.to_thread(writer.write, part)
                await asyncio.to_thread(writer.finish)
    except Exception:
        runtime.metrics.snapshots.labels(runtime.network, "failed").inc()
        raise
    runtime.metrics.snapshots.labels(runtime.network, "written").inc()
    runtime.metrics.snapshot_seconds.set(perf_counter() - since)


async def refresh(runtime: Runtime) -> None:
    """Look up champion and shadow and load new ones in a thread; swap between two requests and two snapshots."""
    champion = await asyncio.to_thread(runtime.source.champion)
    if champion.version != runtime.model.version:
        model = await asyncio.to_thread(load_model, champion)
        async with runtime.changing:
            runtime.swap(model)
        runtime.metrics.swaps.inc()
    runtime.shadow.apply(await asyncio.to_thread(runtime.shadow.check))
