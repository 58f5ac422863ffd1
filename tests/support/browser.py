"""A headless Chromium, driven through its DevTools over a pipe. Never here: assertions."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support import reference

PATIENCE = 60  # seconds
AXE = "4.14.1"  # version of axe-core


def axe() -> str | None:
    """Source of axe-core, which checks the accessibility of pages; None if npm cannot fetch it."""
    folder = reference.CACHE / f"axe-core-{AXE}"
    source = folder / "axe.min.js"
    if not source.exists():
        folder.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm")
        if npm is None or subprocess.run([npm, "pack", f"axe-core@{AXE}"], cwd=folder, capture_output=True).returncode:
            return None
        with tarfile.open(folder / f"axe-core-{AXE}.tgz") as archive:
            content = archive.extractfile("package/axe.min.js")
            assert content is not None
            source.write_bytes(content.read())
    return source.read_text()


def executable() -> str | None:
    """Path of Chromium, or None if it is not installed."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page:
    """One page. ``complaints`` collects its errors and console messages, ``requests`` the URLs it loads."""

    def __init__(self, write_fd: int, read_fd: int) -> None:
        self._to, self._from = write_fd, read_fd
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self._loaded = False
        self.complaints: list[str] = []
        self.requests: list[str] = []

    def attach(self) -> None:
        """Open a blank page and attach to it."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """Call a DevTools method and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def _next(self) -> Any:
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            if not select.select([self._from], [], [], max(end - time.monotonic(), 0))[0]:
                raise TimeoutError(f"no answer from the browser in {PATIENCE} s")
            piece = os.read(self._from, 1 << 16)
            if not piece:
                raise EOFError("the browser exited")
            self._buffer += piece
        text, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(text)
        params = message.get("params", {})
        if message.get("method") == "Page.loadEventFired":
            self._loaded = True
        elif message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif message.get("method") == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(params["args"]))
        elif message.get("method") == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif message.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        return message

    def resize(self, width: int, height: int, *, dark: bool = False, scale: float = 1) -> None:
        """Set the size of the window in CSS pixels, and the preferred color scheme."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, path: Path) -> None:
        """Load a file and wait for its load event."""
        self._loaded = False
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not self._loaded:
            self._next()

    def ask(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key."""
        text = "\r" if key == "Enter" else ""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, text=text, windowsVirtualKeyCode=13)

    def picture(self, *, whole: bool = True) -> bytes:
        """Return a PNG of the page."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"])

    def printed(self) -> bytes:
        """Return a PDF of the page."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """Start a browser with its profile in a folder; yield its one page."""
    program = executable()
    assert program is not None
    child_read, write_fd = os.pipe()
    read_fd, child_write = os.pipe()

    def set_descriptors() -> None:
        first, second = os.dup(child_read), os.dup(child_write)
        os.dup2(first, 3)
        os.dup2(second, 4)

    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")
    env = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}  # without a sanitizer's library
    process = subprocess.Popen(
        [program, *flags, "--no-first-run", "--remote-debugging-pipe", f"--user-data-dir={folder}"],
        preexec_fn=set_descriptors,
        close_fds=False,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(child_read)
    os.close(child_write)
    try:
        page = Page(write_fd, read_fd)
        page.attach()
        yield page
    finally:
        os.close(write_fd)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
        os.close(read_fd)
