"""The reference of the command line, written from the code.

python -m tools.cli_reference > docs/reference/cli.md
"""

from collections.abc import Iterator
from inspect import cleandoc

import click

from netops.cli.main import COMMANDS, cli

HEAD = """# Command line

Written from the code by `python -m tools.cli_reference > docs/reference/cli.md`; a test compares them.

Data go to standard output, messages and progress to standard error. `--json` prints one JSON object, or one per
line for lists. Exit codes: 0 done, 1 failure (reason in one line; `--verbose` shows the stack), 2 wrong
usage. State is in `~/.netops`, or where `NETOPS_HOME` points.
"""


def reference() -> str:
    """Write the reference as Markdown."""
    context = click.Context(cli, info_name="netops")
    lines = [HEAD]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        lines += _command(command, click.Context(command, info_name=name, parent=context), "##")
    return "\n".join(lines)


def _command(command: click.Command, context: click.Context, heading: str) -> Iterator[str]:
    about = cleandoc(command.help or "").replace("\b", "")
    yield from (f"{heading} {context.command_path}", "")
    if not isinstance(command, click.Group):
        yield from (f"`{' '.join([context.command_path, *command.collect_usage_pieces(context)])}`", "")
    yield from (about, "")
    rows = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    if rows:
        yield from (
            "| option | |",
            "|---|---|",
            *(f"| `{_cell(name)}` | {_cell(text)} |" for name, text in rows),
            "",
        )
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                yield from _command(child, click.Context(child, info_name=name, parent=context), heading + "#")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    print(reference(), end="")
