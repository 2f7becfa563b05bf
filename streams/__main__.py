"""`python -m streams` and the `haihe` script are the same program."""

import sys


def main() -> None:
    """Runs the command line and exits with its code."""
    from streams.cli.main import run

    sys.exit(run())


if __name__ == "__main__":
    main()
