"""Start the app: python demo.py [--data DIR] [--host HOST] [--port PORT]"""

import argparse
import os
import sys
from typing import TYPE_CHECKING

from kp.console import INTERRUPT_CODE, INTERRUPTED, exit_on_interrupt, prepare_console
from kp.errors import KpError

if TYPE_CHECKING:
    from gradio import Blocks

    from kp.ui.settings import Settings


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Keypoint Lab in the browser.")
    parser.add_argument("--data", metavar="DIR", help="the dataset's folder (default: KP_DATA, else data/)")
    parser.add_argument("--host", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, help="port (default: the first free one from 7860)")
    return parser.parse_args()


def build(settings: "Settings") -> "Blocks":
    """The app, not launched yet."""
    import torch  # here, as all that takes seconds: Ctrl-C is understood from the first moment

    from kp.hardware import share_memory
    from kp.ui.app import build_app, stay_offline

    stay_offline()
    share_memory()
    torch.set_num_threads(1)  # for each visitor: two who both take all cores are many times slower
    return build_app(settings)


def find_settings(data: str | None = None) -> "Settings":
    """What the environment says. Raises ConfigError where the app's folders cannot be written."""
    from kp.ui.settings import Settings

    settings = Settings.from_environment(data)
    settings.check_writable()
    os.environ["GRADIO_TEMP_DIR"] = str(settings.upload_folder)  # before gradio is imported
    return settings


def main() -> None:
    """Start the app and wait until it is stopped. Raises KpError for what stands in its way."""
    options = parse_arguments()
    with exit_on_interrupt():
        from kp.ui.services.address import Address

        address = Address.from_environment(options.host, options.port)
        address.check()
        settings = find_settings(options.data)
        page = build(settings)
        from kp.ui.app import launch_options
    try:
        page.launch(server_name=address.host, server_port=address.port, **launch_options(settings))
    except OSError as error:
        if error.errno is not None:
            raise
        # Gradio found no free port: all are in use, or another program took this one in the meantime.
        raise address.explain(error) from None


if __name__ == "__main__":
    prepare_console()
    try:
        main()
    except KpError as problem:
        sys.exit(f"Error: {problem}")
    except KeyboardInterrupt:
        sys.stderr.write(f"{INTERRUPTED}\n")
        sys.exit(INTERRUPT_CODE)
else:
    settings = find_settings()
    demo = build(settings)  # for servers that import it
