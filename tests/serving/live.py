"""A server in a process of its own, to be measured and killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


class LiveServer:
    """Starts ``serve`` and waits until it answers."""

    def __init__(self, model: Path, state: Path | str, port: int = 0, **settings: object) -> None:
        self.model, self.state, self.port, self.settings = model, state, port, settings
        self.process: subprocess.Popen | None = None
        self.start()

    def start(self) -> None:
        since = time.perf_counter()
        values = [f"{key}={value}" for key, value in self.settings.items()]
        command = [
            sys.executable,
            "-m",
            "tests.serving.live",
            str(self.model),
            str(self.state),
            str(self.port),
            *values,
        ]
        if self.process:  # the one before has ended
            self.process.stdout.close()
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ | {"MLRUN_DBPATH": ""}
        )
        for line in self.process.stdout:
            if line.startswith(("READY ", "WAITING ")):
                self.seconds = time.perf_counter() - since
                self.url, self.is_heavy = line.split()[1], line.split()[2] == "True"
                self.port = int(self.url.rsplit(":", 1)[1])
                return
        raise AssertionError(f"the server ended with {self.process.wait()}")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(30)

    def __enter__(self) -> "LiveServer":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        self.process.stdout.close()


def main() -> None:
    """Serve a model folder, or what a champion file names: model, state, port and settings.

    Settings are those of ``serving`` as ``section__key=value`` (``receivers`` as JSON), those of ``alerting`` as
    ``alerting__key=value``, ``kill`` (see ``stream.kills``), and ``pauses``: the longest pause between two tries of
    a delivery, in seconds.
    """
    from netops.alerting.settings import AlertSettings
    from netops.config.binding import bind
    from netops.models.card import read_card
    from netops.serving.alerts import deliveries
    from netops.serving.engine.champion import ChampionFile, FixedModel
    from netops.serving.http.serve import serve
    from netops.serving.settings import ServingSettings

    model, state, port, *pairs = sys.argv[1:]
    values: dict = {"port": int(port)}
    for pair in pairs:
        key, value = pair.split("=", 1)
        section, _, name = key.partition("__")
        if not name:
            values[section] = json.loads(value)
            continue
        values.setdefault(section, {})[name] = (
            json.loads(value) if value[0] in "{[1234567890" and value[-1] in "}]0123456789" else value
        )
    if pauses := values.pop("pauses", None):
        deliveries.FIRST_PAUSE, deliveries.MAX_PAUSE = pauses / 5, pauses
    alerting = bind(AlertSettings, values.pop("alerting", {}), "alerting")
    if kill := values.pop("kill", None):
        from tests.serving.stream.kills import install

        install(kill["step"], Path(kill["file"]))
    path = Path(model)
    source = ChampionFile(path) if path.suffix == ".json" else FixedModel(read_card(path).version, path)
    serve(
        "demo",
        bind(ServingSettings, values, "serving"),
        alerting,
        source=source,
        state=state,
        waiting=lambda url: print("WAITING", url, False, flush=True),
        ready=lambda url: print("READY", url, not {"tensorflow", "mlrun"}.isdisjoint(sys.modules), flush=True),
    )


if __name__ == "__main__":
    main()
