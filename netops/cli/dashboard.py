"""``netops dashboard``: fleet, devices, models and runs in a browser."""

from contextlib import nullcontext

import click

from netops.cli import options
from netops.cli.output import note, print_json
from netops.errors import UsageError

SERVER = "http://127.0.0.1:8080"


@click.command("dashboard")
@click.option("--server", metavar="URL", show_default=SERVER, help="Running 'netops serve'; it may come and go.")
@click.option("--demo", is_flag=True, help="Start a server and a generated network, and show that.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to bind; any but 127.0.0.1 needs NETOPS_TOKEN."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="Port; 0 takes a free one."
)
@options.common
def command(server: str | None, demo: bool, host: str, port: int, as_json: bool) -> None:
    """Show the fleet live, each device, the models and the runs."""
    if demo and server:
        raise UsageError("--demo starts a server of its own; leave out --server, or --demo")

    from netops.dashboard.demo import played
    from netops.dashboard.serve import serve_dashboard

    if demo:
        note("demo: starting a server, and a generated network that plays an hour a minute …")
    with played() if demo else nullcontext(server or SERVER) as followed:

        def ready(address: str) -> None:
            if as_json:
                print_json({"url": address, "server": followed})
            else:
                note(f"dashboard: {address} (Ctrl-C ends it)")

        serve_dashboard(followed, host, port, ready)
