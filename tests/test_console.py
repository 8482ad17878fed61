"""The terminal: encodings, Ctrl-C while modules are imported, C libraries' chatter, what stops the app's start."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from running import ROOT

from kp.bench.app import free_port
from kp.commands import COMMANDS
from kp.console import INTERRUPT_CODE, INTERRUPTED, mute_c_stderr
from kp.data.images import read_frame, read_image
from kp.errors import ConfigError, ImageError
from kp.ui.services.address import Address
from kp.ui.settings import Settings

PATIENCE = 120  # seconds; the machine may be busy
IMPORTS_BEGUN = """
import os, sys
class Tell:
    def find_spec(self, name, *_):
        if name == "torch":
            print("importing", flush=True)
            import time
            for _ in range(6000):
                try: time.sleep(0.01)
                except: pass  # as packages do around what they import
sys.meta_path.insert(0, Tell())
import runpy
sys.argv = sys.argv[1:]
if sys.argv[0] == "kp": runpy.run_module("kp", run_name="__main__", alter_sys=True)
else: runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=PATIENCE,
    )


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_help_and_names_print_in_every_encoding(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from kp.__main__ import main

    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    for command in COMMANDS:
        with pytest.raises(SystemExit) as end:
            main([command, "--help"])
        assert end.value.code == 0
    print("\u4e2d \u2192 \udcff")  # a name from a file system, the last sign being a byte that is no UTF-8
    sys.stdout.flush()
    assert raw.getvalue().decode(encoding).count("?") >= 1


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_command_prints_names_that_the_terminal_lacks(encoding: str, tmp_path: Path) -> None:
    photo = tmp_path / "\u5199\u771f-\u0142.png"
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(photo)
    done = run(
        "-m",
        "kp",
        "predict",
        str(photo),
        "--detector",
        "whole-image",
        "--model",
        "heatmap_net_minute",
        "--out",
        str(tmp_path / "out"),
        PYTHONIOENCODING=encoding,
    )
    assert "Traceback" not in done.stderr + done.stdout and "UnicodeEncodeError" not in done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", [["kp", "info"], ["demo.py"]])
def test_ctrl_c_during_imports_is_one_sentence(program: list[str], tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", IMPORTS_BEGUN, *program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"KP_HOME": str(tmp_path)},
    )
    assert process.stdout.readline() == "importing\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (INTERRUPT_CODE, f"{INTERRUPTED}\n")


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("demo.py", KP_HOME=str(tmp_path / "file"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: The app cannot write to its folder") and done.stderr.count("\n") == 1
    assert str(tmp_path / "file") in done.stderr and "KP_HOME" in done.stderr


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the administrator may write everywhere")
def test_a_read_only_home_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="Permission denied.*KP_HOME"):
        Settings(home=tmp_path).check_writable()


def test_an_upload_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "file" / "uploads"))
    with pytest.raises(ConfigError, match="GRADIO_TEMP_DIR"):
        Settings(home=tmp_path).check_writable()
    monkeypatch.delenv("GRADIO_TEMP_DIR")
    Settings(home=tmp_path / "new").check_writable()
    assert (tmp_path / "new" / "uploads").is_dir()


@pytest.mark.parametrize("by_environment", [False, True])
def test_a_port_in_use_is_one_sentence(by_environment: bool, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        options, environment = ([], {"GRADIO_SERVER_PORT": port}) if by_environment else (["--port", port], {})
        done = run("demo.py", *options, KP_HOME=str(tmp_path), **environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: Port {port} is in use, perhaps by an app that still runs. Choose another with "
        "--port or GRADIO_SERVER_PORT, or stop that program.\n"
    )


@pytest.mark.parametrize("port", ["0", "70000", "-1", "abc", "7860.5"])
def test_what_is_no_port_is_refused(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_SERVER_PORT", port)
    with pytest.raises(ConfigError, match=f"'{port}' is not a port"):
        Address.from_environment()


def test_the_address_comes_from_options_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRADIO_SERVER_NAME", raising=False)
    monkeypatch.delenv("GRADIO_SERVER_PORT", raising=False)
    assert Address.from_environment() == Address("127.0.0.1", None)
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    monkeypatch.setenv("GRADIO_SERVER_PORT", "8000")
    assert Address.from_environment() == Address("0.0.0.0", 8000)
    assert Address.from_environment("::1", 9000) == Address("::1", 9000)


def test_an_address_of_another_machine_is_refused() -> None:
    for host in ("192.0.2.1", "no-such-host.invalid", "two..dots", "x" * 70):
        with pytest.raises(ConfigError, match=f"cannot listen on '{host}'"):
            Address(host, None).check()
    Address("127.0.0.1", free_port()).check()


def damaged_photos(folder: Path) -> list[Path]:
    """Files that Pillow, libtiff, libpng and libjpeg have something to say about."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8))
    noise.save(folder / "exif.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12")
    noise.save(folder / "lzw.tif", compression="tiff_lzw")
    noise.save(folder / "jpeg.tif", compression="jpeg")
    noise.save(folder / "broken.png")
    noise.save(folder / "broken.jpg")
    Image.new("L", (10_000, 9_500)).save(folder / "large.png")  # above the size from which Pillow warns
    for name in ("lzw.tif", "jpeg.tif", "broken.png", "broken.jpg"):
        data = bytearray((folder / name).read_bytes())
        middle = len(data) // 2
        data[middle : middle + 40] = b"\xff\x13" * 20
        (folder / name).write_bytes(data)
    (folder / "cut.tif").write_bytes((folder / "lzw.tif").read_bytes()[:9000])
    return sorted(folder.iterdir())


def test_bad_photos_write_nothing_on_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    photos = damaged_photos(tmp_path)
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.filterwarnings("ignore", module=r"PIL\.")
        capfd.readouterr()
        failures = 0
        for photo in photos:
            for read in (read_image, read_frame):
                try:
                    read(photo)
                except ImageError:
                    failures += 1
    assert failures >= 5 and capfd.readouterr() == ("", "")


def test_python_s_own_messages_get_through_while_c_is_mute() -> None:
    script = (
        "import os, sys; from kp.console import *; prepare_console()\n"
        "with mute_c_stderr():\n os.write(2, b'from C'); print('from Python', file=sys.stderr)\n"
        "os.write(2, b'after')"
    )
    done = run("-c", script)
    assert done.stderr == "from Python\nafter"


def test_threads_may_be_mute_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        for _ in range(200):
            with mute_c_stderr():
                os.write(2, b"x")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"end")
    assert capfd.readouterr().err == "end"
