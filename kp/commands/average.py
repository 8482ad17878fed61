"""Average several networks that were trained from the same one (`train --init-from`).

The mean of their weights has a lower error than each of them. Settings and learning curve are the first one's;
`evaluate --record` adds the metrics.
"""

import argparse

from kp.checkpoint import load_checkpoint
from kp.commands.common import add_checkpoint, add_json, checkpoint_file, claim_outputs, print_json, write_checkpoint
from kp.weight_averaging import average_checkpoints


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="+", metavar="MODEL", help="shipped checkpoints' names, or .safetensors files")
    add_checkpoint(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    out = checkpoint_file(options)
    claim_outputs([out], options)
    files = write_checkpoint(average_checkpoints([load_checkpoint(model) for model in options.models]), options)
    if options.json:
        print_json({"models": options.models, "files": [str(file) for file in files]})
    else:
        print(f"wrote {out}, the mean of {len(options.models)} networks")
    return 0
