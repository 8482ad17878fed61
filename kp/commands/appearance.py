"""Fit the appearance model of the synthetic faces to the training people.

Takes about ten minutes. Only means and variations over people are written, no image and no value of any one person.
"""

import argparse
from pathlib import Path

from kp.commands.common import add_data, add_overwrite, claim_outputs, open_dataset, progress_bar
from kp.errors import ConfigError
from kp.synthetic.appearance import save_appearance

FEWEST = 400  # frames; fewer do not determine so many components


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE",
        help="the file for the model, such as checkpoints/appearance.safetensors",
    )
    add_overwrite(parser)


def run(options: argparse.Namespace) -> int:
    from kp.synthetic.appearance_fit import fit_appearance  # imported here: no other command needs it

    out = Path(options.out)
    claim_outputs([out], options)
    faces = open_dataset(options).part("people", "train")
    if len(faces) < FEWEST:
        raise ConfigError(f"There are {len(faces)} frames of training people; at least {FEWEST} are needed.")
    with progress_bar("reading faces") as progress:
        model = fit_appearance(faces, progress)
    save_appearance(model, out)
    people = len({frame.person for frame in faces.frames})
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, fitted to {len(faces)} frames of {people} people")
    return 0
