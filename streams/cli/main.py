"""The `haihe` command: which nouns and verbs there are, and what a mistake looks like.

A command's module is imported when it is used, so `haihe --help` and completion stay quick however heavy the engine is.
A person's mistake is one sentence on stderr and a non-zero exit; a traceback always means a bug.
"""

import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

import click
from click.shell_completion import get_completion_class

from streams.errors import HaiheError, SystemFailure, UserError


class Entry(NamedTuple):
    """Where a command lives (`module` has a click command named `command`) and its line in `haihe --help`."""

    module: str
    help: str


COMMANDS: dict[str, Entry] = {
    "up": Entry("streams.cli.up", "Start the local stack: Kafka, the registry, Prometheus."),
    "status": Entry("streams.cli.status", "Say what of the local stack and the bus runs, and where."),
    "down": Entry("streams.cli.down", "Stop the local stack; its data stay."),
    "demo": Entry("streams.cli.demo", "Play an outbreak through the whole bus and balance the books."),
    "topics": Entry("streams.cli.topics", "List topics, or create those that the layout declares."),
    "schema": Entry("streams.cli.schema", "List, lint and register contracts."),
    "worker": Entry("streams.cli.worker", "Run one slot of a chain."),
    "gateway": Entry("streams.cli.gateway", "Push alerts to grid workers (SSE) and serve their page."),
    "tail": Entry("streams.cli.tail", "Print a topic's events, decoded, personal fields masked."),
    "alert": Entry("streams.cli.alert", "Show what became of an alert."),
    "completion": Entry("streams.cli.main", "Print the script that completes haihe's words in a shell."),
}
"""Every command, in the order of `haihe --help`."""

PROGRAM = "haihe"
_COMPLETE = "_HAIHE_COMPLETE"
_INTERRUPTED = 130
_BUG = 70


class _Lazy(click.Group):
    """A group whose commands are in COMMANDS and imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        if cmd_name == "completion":
            return completion
        command = importlib.import_module(entry.module).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.command(
    PROGRAM,
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="""\b
Examples:
  haihe up                                   start Kafka, the registry, Prometheus
  haihe demo                                 play an outbreak and see it arrive
  haihe tail health.code.changed             colour changes as they come
  haihe COMMAND --help                       what a command takes, with examples
""",
)
@click.version_option(package_name=PROGRAM, prog_name=PROGRAM, message="%(prog)s %(version)s")
def cli() -> None:
    """haihe (海河): the event bus of a city."""


@click.command(
    epilog="""\b
Examples:
  eval "$(haihe completion bash)"            this shell only
  haihe completion fish > ~/.config/fish/completions/haihe.fish
""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL."""
    make = get_completion_class(shell)
    assert make is not None
    click.echo(make(cli, {}, PROGRAM, _COMPLETE).source())


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line (default: this process's) and returns the exit code. Only bugs raise."""
    try:
        result = cli.main(
            args=None if arguments is None else list(arguments),
            prog_name=PROGRAM,
            complete_var=_COMPLETE,
            standalone_mode=False,
        )
        # Not a flush at exit: a reader that went away (`| head`) would be a traceback there.
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        _complain(_sentence(error))
        return error.exit_code
    except UserError as error:
        _complain(str(error))
        return error.exit_code
    except HaiheError as error:
        _complain(str(error))
        return error.exit_code if isinstance(error, SystemFailure) else _BUG
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader has what it wanted. Python would flush stdout once more at exit: give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a directory that cannot be made or written, say; without a file's name it is a bug
        if error.filename is None:
            raise
        _complain(f"{error.filename}: {(error.strerror or type(error).__name__).lower()}")
        return UserError.exit_code


def _sentence(error: click.ClickException) -> str:
    """Click's complaint as one sentence, with the word that was probably meant and where to read more."""
    text = error.format_message().rstrip(".").replace(" Did you mean", ", did you mean")
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return text
    group = error.ctx.command
    if isinstance(group, click.Group) and text.startswith("No such command"):
        word = text.partition("'")[2].rstrip("'")
        near = difflib.get_close_matches(word, group.list_commands(error.ctx), n=1)
        text += f", did you mean `{near[0]}`?" if near else ""
    text = text[:1].lower() + text[1:]
    return f"{text} (see `{error.ctx.command_path} --help`)"


def _complain(sentence: str) -> None:
    click.echo(f"{PROGRAM}: {' '.join(sentence.split())}", err=True)
