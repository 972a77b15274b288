"""``netops serve``: score telemetry and raise alerts over HTTP."""

import dataclasses
from pathlib import Path

import click

from netops.cli import options
from netops.cli.output import note, print_json


@click.command("serve")
@options.name
@click.option("--host", help="Address to bind; any but 127.0.0.1 needs NETOPS_TOKEN.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0: any free port.")
@click.option("--syslog", metavar="ADDRESS:PORT", help="Receive syslog over UDP and TCP, such as 127.0.0.1:5514.")
@click.option(
    "--state",
    metavar="FOLDER|s3://BUCKET/PREFIX",
    help="Folder of device state and alerts; default: the network's. With --stream: or an object store.",
)
@click.option("--stream", help="Kafka topic with the samples: kafka://broker:9092/topic?group=netops")
@click.option(
    "--peers",
    metavar="URL[,URL…]",
    help="The processes that read the topic, such as http://netops-peers:8080: each answers for all of them.",
)
@click.option("--stream-out", help="Kafka topic for the risk of each scored sample: kafka://broker:9092/topic")
@click.option("--wait", is_flag=True, help="Wait until there is a champion, instead of exiting.")
@options.config
@options.overrides
@options.common
def command(
    name: str | None,
    host: str | None,
    port: int | None,
    syslog: str | None,
    state: str | None,
    stream: str | None,
    peers: str | None,
    stream_out: str | None,
    wait: bool,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Serve the champion of a network: telemetry in, risks, reasons and alerts out."""
    from netops.workflows.settings import read_settings

    chosen = read_settings(config, overrides)
    serving = chosen.serving
    settings = dataclasses.replace(
        serving,
        host=host or serving.host,
        port=serving.port if port is None else port,
        syslog=serving.syslog if syslog is None else syslog,
    )
    reading = serving.stream
    url, out = reading.url if stream is None else stream, reading.out if stream_out is None else stream_out
    settings = dataclasses.replace(settings, stream=dataclasses.replace(reading, url=url, out=out))

    if peers is not None:
        urls = tuple(url.strip() for url in peers.split(",") if url.strip())
        settings = dataclasses.replace(settings, stream=dataclasses.replace(settings.stream, peers=urls))

    from netops.serving.peers.addresses import parse_peers
    from netops.serving.requests.access import token_for
    from netops.serving.stream.object_store.address import parse_state
    from netops.telemetry.kafka.address import parse_output, parse_stream

    token_for(settings.host)  # fail before MLRun is imported
    parse_peers(settings.stream.peers)
    if settings.stream.url:
        parse_stream(settings.stream.url)
    parse_output(settings.stream.out, settings.stream.url)
    if state is not None:
        parse_state(state)

    from netops.workflows.project import connect

    connect(patient=True)  # the last champion is served while the service is unavailable
    from netops.serving.http.serve import serve
    from netops.workflows.champion_source import RegisteredChampion

    network = name or "demo"

    def ready(address: str) -> None:
        if as_json:
            print_json(
                {"network": network, "url": address} | ({"syslog": settings.syslog} if settings.syslog else {})
            )
        else:
            more = f", syslog on {settings.syslog}" if settings.syslog else ""
            note(f"network {network}: serving on {address}{more} (Ctrl-C stops it)")

    def waiting(address: str) -> None:
        if not as_json:  # --json prints one object, when the server is ready
            note(f"network {network} has no champion yet: until then {address} answers only /healthz")

    source = RegisteredChampion(network)
    serve(network, settings, chosen.alerting, source, state, ready, waiting if wait else None)
