"""Takes the README's pictures again: python tests/screenshots.py

Starts the app on sample faces, as a newcomer sees it, trains for a minute, and asks for keypoints of an example.
"""

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / ".screenshots"
CHROMIUM = "/usr/bin/chromium"
PORT = 7999
URL = f"http://127.0.0.1:{PORT}"
SIZE = {"width": 1280, "height": 900}
MAX_BYTES = 400_000


def start_app(home: str) -> subprocess.Popen:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KP_")}
    app = subprocess.Popen(
        [sys.executable, "demo.py"], cwd=ROOT, env=environment | {"GRADIO_SERVER_PORT": str(PORT), "KP_HOME": home}
    )
    for _ in range(120):
        try:
            urllib.request.urlopen(URL, timeout=5).close()
            return app
        except urllib.error.URLError:
            time.sleep(0.5)
    app.kill()
    sys.exit(f"The app did not answer on {URL} within a minute.")


def open_tab(page: Page, name: str) -> None:
    page.click(f"button[role=tab]:visible:has-text('{name}')")


def train(page: Page) -> None:
    """A run of the preset that is offered first, to its end."""
    open_tab(page, "Train")
    page.click("#kp-train-start:not([disabled])")
    page.wait_for_selector("#kp-train-status:has-text('Finished')", timeout=240_000)
    page.wait_for_selector("#kp-train-faces img")


def predict(page: Page) -> None:
    """The first example, with the default network."""
    open_tab(page, "Predict")
    page.locator("#predict-examples button").first.click()
    page.wait_for_selector("#predict-picture img", timeout=60_000)
    page.wait_for_selector("#predict-steps img")


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        app = start_app(home)
        try:
            with sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
                page = browser.new_page(viewport=SIZE)
                page.goto(URL)
                for name, show in (("predict", predict), ("train", train)):
                    show(page)
                    page.evaluate("scrollTo(0, 0)")
                    page.wait_for_timeout(1500)
                    file = PICTURES / f"{name}.png"
                    page.screenshot(path=file)
                    if file.stat().st_size > MAX_BYTES:
                        sys.exit(f"{file} has {file.stat().st_size} bytes, more than {MAX_BYTES}.")
                    print(file, file.stat().st_size, "bytes")
                browser.close()
        finally:
            app.terminate()
            app.wait()


if __name__ == "__main__":
    main()
