"""The command line: python -m kp COMMAND ..."""

import argparse
import logging
import sys

from kp import __version__
from kp.console import INTERRUPT_CODE, INTERRUPTED, exit_on_interrupt, prepare_console, replace_unprintable
from kp.errors import KpError


def build_parser() -> argparse.ArgumentParser:
    from kp.commands import COMMANDS  # imported here, within exit_on_interrupt: PyTorch takes seconds

    parser = argparse.ArgumentParser(
        prog="python -m kp",
        description="Find the 68 keypoints of faces; train and test networks that do.",
        epilog="python -m kp COMMAND --help lists a command's options.",
    )
    parser.add_argument("--version", action="version", version=f"kp {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        summary, _, details = (module.__doc__ or "").partition("\n")
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary}\n{details}".strip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed, 2 wrong options, 130 interrupted."""
    replace_unprintable()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    with exit_on_interrupt():
        parser = build_parser()
    try:
        options = parser.parse_args(arguments)
        return options.run(options)
    except KpError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        return INTERRUPT_CODE
    except BrokenPipeError:
        sys.stderr.close()  # the reader of the output has closed it
        return 1


if __name__ == "__main__":
    prepare_console()
    sys.exit(main())
