"""The commands: each module defines `add_arguments(parser)` and `run(options)`, which returns the exit code."""

from types import ModuleType

from kp.commands import appearance, average, bench, calibrate, download, evaluate, export, info, train, video
from kp.commands.predict import command as predict_command

COMMANDS: dict[str, ModuleType] = {
    "download": download,
    "info": info,
    "train": train,
    "evaluate": evaluate,
    "predict": predict_command,
    "video": video,
    "average": average,
    "export": export,
    "calibrate": calibrate,
    "appearance": appearance,
    "bench": bench,
}
