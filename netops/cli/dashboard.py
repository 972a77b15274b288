"""``netops dashboard``: fleet, devices, models and runs in a browser."""

import click

from netops.cli import options
from netops.cli.output import note, print_json


@click.command("dashboard")
@click.option(
    "--server",
    default="http://127.0.0.1:8080",
    show_default=True,
    metavar="URL",
    help="Running 'netops serve'; it may come and go.",
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to bind; any but 127.0.0.1 needs NETOPS_TOKEN."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="Port; 0 takes a free one."
)
@options.common
def command(server: str, host: str, port: int, as_json: bool) -> None:
    """Show the fleet live, each device, the models and the runs."""
    from netops.dashboard.serve import serve_dashboard

    def ready(address: str) -> None:
        if as_json:
            print_json({"url": address, "server": server})
        else:
            note(f"dashboard: {address} (Ctrl-C ends it)")

    serve_dashboard(server, host, port, ready)
