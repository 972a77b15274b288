"""Entry point of the ``netops`` command.

Nothing heavy is imported here: ``netops --help`` must answer at once, and a verb pays for itself only.
"""

import os
import sys
import traceback
from errno import EACCES, EDQUOT, EEXIST, EFBIG, EISDIR, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS
from importlib import import_module

import click

from netops import __version__
from netops.cli.output import note
from netops.errors import NetopsError, UsageError, closest

VERBOSE = "NETOPS_VERBOSE"

# Verb → what `netops --help` says of it. The module of the same name in netops.cli holds the command.
VERBS = {
    "inspect": "Report what telemetry holds and which run would work, before any run.",
    "run": "The whole way on this machine: telemetry, features, training, selection, deployment.",
    "generate": "Generate the telemetry of a network, with its failures.",
    "features": "Turn telemetry into feature vectors.",
    "train": "Train model families on feature vectors.",
    "score": "Risk of every sample of a batch, by the champion.",
    "backtest": "Replay past telemetry and report which incidents would have been predicted.",
    "serve": "The champion over HTTP: telemetry in, risks, reasons and alerts out.",
    "simulate": "Play telemetry to a server, and see what it warns of.",
    "dashboard": "The fleet live in a browser: devices, alerts, models and runs.",
    "monitor": "Whether the champion still fits: drift of features, risks, outcomes, schema.",
    "runs": "Runs of the pipeline: list, show, cancel, retry.",
    "models": "Models of a network: list, show, promote, roll back.",
    "alerts": "Alerts of a network: list, confirm, dismiss, repaired.",
    "incidents": "Manage recorded incidents: add, list, remove.",
    "compile": "Write a workflow as Kubeflow takes it; needs no cluster.",
    "submit": "Run a workflow on the cluster.",
    "schedule": "Run workflows again and again: add, list, remove, start.",
    "prune": "Delete old runs and what they left on disk.",
    "doctor": "Check this installation and, where one is named, the MLRun service.",
}


# What a machine may be like without anything being wrong with the program.
_STATES = (EACCES, EDQUOT, EEXIST, EFBIG, EISDIR, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS)


class Commands(click.Group):
    """A group that imports a verb when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the verbs in the order of the work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the module of one verb."""
        if name not in VERBS:
            raise click.UsageError(f"no such command '{name}'{closest(name, VERBS)}", ctx)
        module = import_module(f"netops.cli.{name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="netops")
def cli() -> None:
    """Predict which network devices are about to fail, from their telemetry.

    State lives in ~/.netops, or where NETOPS_HOME points.
    """


def main() -> None:
    """Run the command; an error is one line on stderr and an exit code: 1 the work failed, 2 wrong usage."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command with these arguments and give its exit code."""
    before = os.environ.get(VERBOSE)
    try:
        return _run(arguments)
    finally:  # --verbose holds for one call
        os.environ.pop(VERBOSE, None)
        if before is not None:
            os.environ[VERBOSE] = before


def _run(arguments: list[str]) -> int:
    try:
        code = cli.main(arguments, prog_name="netops", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        verb = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "netops"
        return _fail(f"{error.format_message()} (see '{verb} --help')", 2)
    except (click.Abort, KeyboardInterrupt):
        return _fail("stopped", 130)
    except BrokenPipeError:
        # The reader of our output has gone (`netops … | head`); let nothing complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except NetopsError as error:
        return _fail(str(error), 2 if isinstance(error, UsageError) else 1)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "netops", "components", "pipeline"):
            return _fail(f"unexpected {type(error).__name__}: {error} (--verbose shows where)", 1)
        return _fail(f"{missing} is not installed here: run this where the stages run, or: make setup", 1)
    except OSError as error:
        return _fail(_of_machine(error), 1)
    except Exception as error:  # noqa: BLE001
        return _fail(f"unexpected {type(error).__name__}: {error} (--verbose shows where)", 1)


def _of_machine(error: OSError) -> str:
    """Word an ordinary state of the machine: a full disk, missing rights, a file where a folder should be."""
    if error.errno not in _STATES or not error.strerror:
        return f"unexpected {type(error).__name__}: {error} (--verbose shows where)"
    where = error.filename if isinstance(error.filename, str) else "the work folder"
    return (
        f"{where}: {error.strerror.lower()}; check the path, its rights and the free space "
        "(NETOPS_HOME holds the state, TMPDIR what is needed meanwhile)"
    )


def _fail(message: str, code: int) -> int:
    if os.environ.get(VERBOSE) and sys.exc_info()[0] is not None:
        traceback.print_exc()
    note(f"netops: {' '.join(message.split())}")
    return code


if __name__ == "__main__":
    main()
