"""Start the app: python demo.py [--data DIR] [--host HOST] [--port PORT]"""

import argparse
import os

import torch

from kp.training.machine import share_memory
from kp.ui.app import build_app, launch_options, stay_offline
from kp.ui.settings import Settings


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Keypoint Lab in the browser.")
    parser.add_argument("--data", metavar="DIR", help="the dataset's folder (default: KP_DATA, else data/)")
    parser.add_argument("--host", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, help="port (default: the first free one from 7860)")
    return parser.parse_args()


stay_offline()
share_memory()
torch.set_num_threads(1)  # for each visitor: two who both take all cores are many times slower
options = parse_arguments() if __name__ == "__main__" else argparse.Namespace(data=None, host=None, port=None)
settings = Settings.from_environment(options.data)
# gradio's own folder for uploads is one for all users of a machine, and only the first of them may write there.
os.environ.setdefault("GRADIO_TEMP_DIR", str(settings.home / "uploads"))
demo = build_app(settings)

if __name__ == "__main__":
    demo.launch(server_name=options.host, server_port=options.port, **launch_options(settings))
