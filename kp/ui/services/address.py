"""Where the app listens: host and port from the command line or the environment, checked before anything is built."""

import errno
import os
import socket
from dataclasses import dataclass

from kp.errors import ConfigError

FIRST_PORT = 7860  # gradio tries this one and the 99 after it
HIGHEST_PORT = 65535
CHOOSE = "Choose another with --port or GRADIO_SERVER_PORT"


@dataclass(frozen=True)
class Address:
    """host: a name or an IP address. port: None means the first free one from 7860."""

    host: str
    port: int | None

    @classmethod
    def from_environment(cls, host: str | None = None, port: int | None = None) -> "Address":
        """The given values, else GRADIO_SERVER_NAME and GRADIO_SERVER_PORT. Raises ConfigError for no port."""
        named = os.environ.get("GRADIO_SERVER_PORT") if port is None else str(port)
        if named and not (named.isascii() and named.isdigit() and 0 < int(named) <= HIGHEST_PORT):
            raise ConfigError(
                f"{named!r} is not a port. Name a number from 1 to {HIGHEST_PORT} with --port or GRADIO_SERVER_PORT."
            )
        return cls(host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1", int(named) if named else None)

    def check(self) -> None:
        """Raises ConfigError unless the app can listen there."""
        try:
            family, kind, _, _, place = socket.getaddrinfo(self.host, self.port or 0, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind) as probe:
                if os.name == "posix":  # elsewhere the option would let two programs share a port
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(place)
        except UnicodeError:  # a part of the name is empty, or longer than names can be
            raise self.explain(socket.gaierror(socket.EAI_NONAME, "no host name")) from None
        except OSError as error:
            raise self.explain(error) from None

    def explain(self, error: OSError) -> ConfigError:
        """Returns the error of listening as a sentence that says what to do."""
        if error.errno == errno.EACCES:
            return ConfigError(f"Port {self.port} is only for the system's administrator. {CHOOSE}, from 1024 on.")
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            return ConfigError(
                f"The app cannot listen on {self.host!r}: this machine has no such address. Leave out "
                "--host and GRADIO_SERVER_NAME, or name 0.0.0.0 for all its addresses."
            )
        if self.port is None:
            return ConfigError(f"All ports from {FIRST_PORT} to {FIRST_PORT + 99} are in use. {CHOOSE}.")
        return ConfigError(
            f"Port {self.port} is in use, perhaps by an app that still runs. {CHOOSE}, or stop that program."
        )
