"""``netops dashboard``: show fleet, devices, models and runs in a browser."""

from contextlib import nullcontext

import click

from netops.cli import options
from netops.cli.output import note, print_json
from netops.errors import UsageError

SERVER = "http://127.0.0.1:8080"


@click.command("dashboard")
@click.option(
    "--server", metavar="URL", show_default=SERVER, help="Address of 'netops serve'; it may be restarted."
)
@click.option("--demo", is_flag=True, help="Start a server with a simulated network and show it.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to bind; any but 127.0.0.1 needs NETOPS_TOKEN."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="Port; 0: any free port."
)
@options.common
def command(server: str | None, demo: bool, host: str, port: int, as_json: bool) -> None:
    """Show the fleet, its devices, the models and the runs live."""
    if demo and server:
        raise UsageError("--demo starts its own server: pass either --demo or --server")

    from netops.dashboard.demo import demo_server
    from netops.dashboard.serve import serve_dashboard

    if demo:
        note("demo: starting a server and a simulated network (one hour per minute) …")
    with demo_server() if demo else nullcontext(server or SERVER) as address_of_server:

        def ready(address: str) -> None:
            if as_json:
                print_json({"url": address, "server": address_of_server})
            else:
                note(f"dashboard: {address} (Ctrl-C stops it)")

        serve_dashboard(address_of_server, host, port, ready)
