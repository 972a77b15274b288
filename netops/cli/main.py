"""Entry point of the ``netops`` command.

Nothing heavy is imported here: ``netops --help`` must be fast, and a command imports only what it needs.
"""

import os
import sys
import traceback
from errno import EACCES, EDQUOT, EEXIST, EFBIG, EISDIR, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS
from importlib import import_module

import click

from netops import __version__
from netops.cli.output import note
from netops.errors import CanceledError, NetopsError, UsageError, closest

VERBOSE = "NETOPS_VERBOSE"

# Command → its line in `netops --help`. Each command is in the module of the same name in netops.cli.
COMMANDS = {
    "inspect": "Report what telemetry contains and which settings of a run would work.",
    "run": "Run the pipeline on this machine: telemetry, features, training, selection, deployment.",
    "generate": "Simulate the telemetry of a network with failures.",
    "features": "Build feature vectors from telemetry.",
    "train": "Train model families on feature vectors.",
    "score": "Score a batch of telemetry with the champion.",
    "backtest": "Replay past telemetry and report which incidents would have been predicted.",
    "serve": "Serve the champion over HTTP: telemetry in, risks, reasons and alerts out.",
    "simulate": "Replay telemetry to a server and report its alerts.",
    "dashboard": "Show devices, alerts, models and runs live in a browser.",
    "monitor": "Detect drift of features, risks, outcomes and schema.",
    "runs": "Manage runs of the pipeline: list, show, cancel, retry.",
    "models": "Manage the models of a network: list, show, promote, roll back.",
    "alerts": "Manage the alerts of a network: list, confirm, dismiss, repaired.",
    "incidents": "Manage recorded incidents: add, list, remove.",
    "compile": "Compile a workflow for Kubeflow Pipelines; needs no cluster.",
    "submit": "Run a workflow on the cluster.",
    "schedule": "Run workflows on a schedule: add, list, remove, start.",
    "prune": "Delete old runs and their files.",
    "doctor": "Check this installation and, if one is configured, the MLRun service.",
}


# Errors that the machine causes (disk, permissions, paths), not the program.
_ENVIRONMENT_ERRORS = (EACCES, EDQUOT, EEXIST, EFBIG, EISDIR, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS)


class Commands(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order of the workflow."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the module of a command and return the command."""
        if name not in COMMANDS:
            raise click.UsageError(f"no such command '{name}'{closest(name, COMMANDS)}", ctx)
        module = import_module(f"netops.cli.{name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="netops")
def cli() -> None:
    """Predict which network devices are about to fail, from their telemetry.

    State is stored in ~/.netops, or in NETOPS_HOME.
    """


def main() -> None:
    """Run the command; an error is one line on stderr and exit code 1 (failed) or 2 (wrong usage)."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command with these arguments and return its exit code."""
    before = os.environ.get(VERBOSE)
    try:
        return _run(arguments)
    finally:  # --verbose applies to one call
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
        command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "netops"
        return _fail(f"{error.format_message()} (see '{command} --help')", 2)
    except (click.Abort, KeyboardInterrupt):
        return _fail("stopped", 130)
    except BrokenPipeError:
        # The reader of our output has closed it (`netops … | head`): avoid an error message at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except CanceledError as error:
        return _fail(str(error), 130)
    except NetopsError as error:
        return _fail(str(error), 2 if isinstance(error, UsageError) else 1)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "netops", "components", "pipeline"):
            return _fail(f"unexpected {type(error).__name__}: {error} (--verbose shows the traceback)", 1)
        return _fail(f"{missing} is not installed: run this where the stages run, or run: make setup", 1)
    except OSError as error:
        return _fail(_environment_message(error), 1)
    except Exception as error:  # noqa: BLE001
        return _fail(f"unexpected {type(error).__name__}: {error} (--verbose shows the traceback)", 1)


def _environment_message(error: OSError) -> str:
    """Return the message for an error of the environment, such as a full disk or missing permissions."""
    if error.errno not in _ENVIRONMENT_ERRORS or not error.strerror:
        return f"unexpected {type(error).__name__}: {error} (--verbose shows the traceback)"
    where = error.filename if isinstance(error.filename, str) else "the work folder"
    return (
        f"{where}: {error.strerror.lower()}; check the path, its permissions and the free space "
        "(state is in NETOPS_HOME, temporary files are in TMPDIR)"
    )


def _fail(message: str, code: int) -> int:
    if os.environ.get(VERBOSE) and sys.exc_info()[0] is not None:
        traceback.print_exc()
    note(f"netops: {' '.join(message.split())}")
    return code


if __name__ == "__main__":
    main()
