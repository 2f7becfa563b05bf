"""Says what is being waited for: a moving line on a terminal, plain lines elsewhere; on stderr, so that results
on stdout can be piped."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Gives a `say(text)`; each text replaces the one before until the block ends."""
    if not sys.stderr.isatty():
        yield lambda text: click.echo(text, err=True)
        return
    from rich.console import Console  # half of the start-up time of a quick command, so only where it shows

    with Console(stderr=True).status("") as status:
        yield status.update
