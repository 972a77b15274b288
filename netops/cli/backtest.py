"""``netops backtest``: replay past telemetry and compare the alerts with the incidents."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict, cast

import click

from netops.cli import options
from netops.cli.output import note, print_json, print_rows, progress_bars
from netops.json_types import JsonDict


class Reason(TypedDict):
    """A feature that moved a risk."""

    feature: str
    contribution: float
    text: str


class Found(TypedDict):
    """An incident or a false alarm, as the report lists it."""

    device: str
    trained: bool
    reasons: list[Reason]
    note: str


class FoundIncident(Found):
    """An incident, and whether it would have been predicted."""

    start: str
    scenario: str | None
    opened: str | None
    outcome: str
    lead_seconds: float | None


class FoundAlarm(Found):
    """A false alarm."""

    opened: str


class ServerAlert(TypedDict):
    """An alert of the server."""

    kind: str


class ServerReport(TypedDict):
    """What the server, which does not know the incidents, has done."""

    alerts: list[ServerAlert]
    samples: dict[str, int]


Telemetry = TypedDict("Telemetry", {"samples": int, "devices": int, "incidents": int, "from": str, "to": str})


class Report(TypedDict):
    """What is printed of a backtest."""

    network: str
    family: str
    version: str
    seconds: float
    telemetry: Telemetry
    policy: JsonDict
    samples_counted: int
    samples_trained_on: int
    incidents: list[FoundIncident]
    false_alarms: list[FoundAlarm]
    figures: dict[str, float]
    intervals: dict[str, JsonDict]
    thresholds: list[JsonDict]
    budgets: list[JsonDict]
    server: ServerReport


@click.command("backtest")
@options.telemetry
@options.incidents
@options.logs
@options.log_format
@options.events
@options.name
@click.option("--version", help="Model version; default: the champion.")
@click.option("--html", type=options.PATH, help="Also write an HTML report to this file.")
@options.config
@options.overrides
@options.common
def command(
    telemetry: tuple[str, ...],
    incidents: Path | None,
    logs: tuple[Path, ...],
    log_format: str | None,
    events: tuple[Path, ...],
    name: str | None,
    version: str | None,
    html: Path | None,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Replay past telemetry and report which incidents would have been predicted.

    Samples that the model was trained on are marked and not counted.
    """
    from netops.workflows.settings import read_settings

    settings = read_settings(config, [*overrides, *options.log_settings(logs, log_format, events)])
    options.must_exist(*telemetry, incidents, *logs, *events)

    options.must_have_samples(telemetry, settings)

    from netops.workflows.project import connect

    connect()
    from netops import registry
    from netops.tracking.folders import local_model
    from netops.workflows.stages.backtest import backtest_model

    network = name or "demo"
    model = registry.find(network, version) if version else registry.the_champion(network)
    with progress_bars():
        result = backtest_model(network, local_model(model.uri), options.paths(telemetry), incidents, settings)
    report = cast(Report, result.to_dict())
    page = html if report["samples_counted"] else None
    if page is not None:
        from netops.backtest.page import write_page

        write_page(page, result, settings.alerting.false_alarms_per_device_day)
    if as_json:
        print_json(report)
        return
    _print(report)
    if page is not None:
        click.echo(f"\n{page}")
    elif html is not None:
        note(f"{html}: not written, because no sample is counted")


def _print(report: Report) -> None:
    telemetry, policy, seconds = report["telemetry"], report["policy"], report["seconds"]
    click.echo(
        f"{report['network']}: {report['family']} {report['version']}, threshold {policy['threshold']:.4g}, over "
        f"{telemetry['samples']:,} samples of {telemetry['devices']} devices, {_clock(telemetry['from'])} to "
        f"{_clock(telemetry['to'])} UTC"
    )
    note(f"replayed in {seconds:.1f} s, {telemetry['samples'] / max(seconds, 1e-9):,.0f} samples a second")
    if not telemetry["incidents"]:
        note("no incidents are known for this telemetry, so every alert counts as a false alarm; pass --incidents")
    if not report["samples_counted"]:
        click.echo(_nothing_counts(report))
        return
    if report["samples_trained_on"]:
        click.echo(
            f"{report['samples_trained_on']:,} samples are training data: their rows are marked * and not counted"
        )
    _print_incidents(report["incidents"])
    _print_false_alarms(report["false_alarms"])
    _print_figures(report)
    _print_alternatives(report)
    _print_server(report["server"])


def _nothing_counts(report: Report) -> str:
    if report["samples_trained_on"]:
        return "all samples were used in training, so none is counted; pass later telemetry or other devices"
    return "the telemetry is shorter than the horizon, so no sample is counted; pass longer telemetry"


def _print_incidents(incidents: list[FoundIncident]) -> None:
    rows = [
        {
            "incident": _mark(found) + _clock(found["start"]),
            "device": found["device"],
            "scenario": found["scenario"] or None,
            "warned": _clock(found["opened"])[11:] if found["opened"] else found["outcome"],
            "before": _lasting(found["lead_seconds"]),
            "why": "; ".join(filter(None, (_reasons(found), found["note"]))),
        }
        for found in incidents
    ]
    click.echo(f"\n{_counts(incidents, 'incident')}")
    columns = ["incident", "device", *(["scenario"] if any(r["scenario"] for r in rows) else [])]
    if rows:
        print_rows(rows, [*columns, "warned", "before", "why"], as_json=False)


def _print_false_alarms(alarms: list[FoundAlarm]) -> None:
    rows = [
        {
            "false_alarm": _mark(alarm) + _clock(alarm["opened"]),
            "device": alarm["device"],
            "why": f"{_reasons(alarm)}; {alarm['note']}",
        }
        for alarm in alarms
    ]
    click.echo(f"\n{_counts(alarms, 'false alarm')}")
    if rows:
        print_rows(rows, ["false_alarm", "device", "why"], as_json=False)


def _print_figures(report: Report) -> None:
    figures, intervals = report["figures"], report["intervals"]
    rows = [{"figure": name.replace("_", " "), "value": figures[name], **intervals[name]} for name in intervals]
    click.echo(
        f"\n{figures['incidents_warned']} of {_counted(figures['incidents'], 'incident')} warned of, "
        f"{_counted(figures['false_alarms'], 'false alarm')} in {figures['device_days']:.3g} device-days; "
        "95% intervals over devices and incidents"
    )
    print_rows(rows, ["figure", "value", "low", "high"], as_json=False)


def _print_alternatives(report: Report) -> None:
    figures = ["event_recall", "false_alarms_per_device_day", "precision", "median_lead_seconds"]
    rows = [one | {"": "in force" if one["in_force"] else ""} for one in report["thresholds"]]
    click.echo("\nother thresholds")
    print_rows(rows, ["threshold", *figures, ""], as_json=False)
    click.echo("\nthe best threshold in hindsight for other alert budgets (false alarms per device-week)")
    print_rows(report["budgets"], ["budget", "threshold", *figures], as_json=False)


def _print_server(server: ServerReport) -> None:
    kinds = [alert["kind"] for alert in server["alerts"]]
    alerts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)) or "none"
    others = ", ".join(f"{count:,} {status}" for status, count in server["samples"].items() if count)
    click.echo(f"\nalerts of the server, which does not know the incidents: {alerts}; samples: {others}")


def _counts(found: Sequence[Found], what: str) -> str:
    trained = sum(one["trained"] for one in found)
    return _counted(len(found) - trained, what) + (f", and {trained} * in training data" if trained else "")


def _counted(count: float, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _mark(found: Found) -> str:
    return "* " if found["trained"] else "  "


def _clock(moment: str) -> str:
    return moment[:19].replace("T", " ")


def _lasting(seconds: float | None) -> str | None:
    from netops.evaluation.report.words import lasting

    return None if seconds is None else lasting(seconds)


def _reasons(found: Found) -> str:
    return ", ".join(f"{reason['feature']} {reason['contribution']:+.2g}" for reason in found["reasons"])
