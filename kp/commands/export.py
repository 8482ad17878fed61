"""Write a network as ONNX, for programs without PyTorch.

FILE.json is written beside FILE.onnx: its input (size, margin, channels, range) and how its outputs are mapped to image
pixels. Needs the package onnx.
"""

import argparse
from pathlib import Path

from kp.checkpoint import load_checkpoint
from kp.commands.common import add_json, add_overwrite, claim_outputs, print_json
from kp.errors import ConfigError
from kp.onnx_export import export_onnx

SUFFIX = ".onnx"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a shipped checkpoint's name, or a .safetensors file")
    parser.add_argument("--out", required=True, metavar="FILE", help=f"the file to write, NAME{SUFFIX}")
    add_overwrite(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    out = Path(options.out)
    if out.suffix != SUFFIX:
        raise ConfigError(f"--out is {out}; an ONNX file's name ends with {SUFFIX}.")
    claim_outputs([out, out.with_suffix(".json")], options)
    files = export_onnx(load_checkpoint(options.model), out)
    if options.json:
        print_json({"model": options.model, "files": [str(file) for file in files]})
    else:
        for file in files:
            print(f"wrote {file}, {file.stat().st_size / 1e6:.2f} MB")
    return 0
