"""A real Chromium for tests, driven over its debugging pipe, for which no name but 127.0.0.1 resolves."""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-features=AutofillServerCommunication",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1400,900",
    "--remote-debugging-pipe",
]

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: install Debian's package `chromium` to run this test"
)


class Page:
    """One tab. `requests` are all that it sent, `complaints` what its console says of errors and refusals."""

    def __init__(self, commands: int, events: int) -> None:
        self._commands, self._events = commands, events
        self._buffer = b""
        self._last = 0
        self._session: str | None = None
        self.requests: list[dict[str, Any]] = []
        self.complaints: list[str] = []

    def open(self) -> Self:
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        return self

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask Chromium something and return its answer; events that come in between are noted."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + 30
        while True:
            answer = self._read(until)
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])
            self._note(answer)

    def _read(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not select.select([self._events], [], [], max(0, until - time.monotonic()))[0]:
                raise TimeoutError("Chromium does not answer")
            piece = os.read(self._events, 1 << 16)
            if not piece:
                raise ConnectionError("Chromium has ended")
            self._buffer += piece
        line, self._buffer = self._buffer.split(b"\0", 1)
        return dict(json.loads(line))

    def _note(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"])
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                self.complaints.append(parameters["entry"]["text"])
            case "Runtime.exceptionThrown":
                details = parameters["exceptionDetails"]
                self.complaints.append(details.get("exception", {}).get("description", details["text"]))
            case "Runtime.consoleAPICalled" if parameters["type"] == "error":
                self.complaints.append(" ".join(str(a.get("value", a.get("description"))) for a in parameters["args"]))

    def goto(self, url: str) -> None:
        failure = self.send("Page.navigate", url=url).get("errorText")
        assert failure is None, f"{url}: {failure}"

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression, a promise's included."""
        answer = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str, seconds: float = 20) -> Any:
        """Wait until a JavaScript expression is true; while a page loads it may as well fail."""
        attempt = f"(() => {{ try {{ return {script} }} catch {{ return null }} }})()"
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if found := self.evaluate(attempt):
                    return found
            except RuntimeError as gone:  # the page that was asked has made way for the next one
                assert "navigated" in str(gone) or "context" in str(gone), gone
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds} s: {script}\n{self.evaluate('document.body.innerText')}")

    def click(self, selector: str) -> None:
        """Press and release the left button in the middle of an element that has come to rest, as a hand does."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.wait_for(f"!!{element}")
        x, y = self.evaluate(
            f"""new Promise((resolve) => {{
                const look = (before) => requestAnimationFrame(() => {{
                    const {{ x, y, width, height }} = {element}.getBoundingClientRect();
                    const middle = [x + width / 2, y + height / 2];
                    String(middle) === before && width ? resolve(middle) : look(String(middle));
                }});
                look();
            }})"""
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def write(self, text: str) -> None:
        for letter in text:
            self.send("Input.dispatchKeyEvent", type="keyDown", key=letter, text=letter)
            self.send("Input.dispatchKeyEvent", type="keyUp", key=letter)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """A page in a Chromium of its own, which keeps all it writes in the folder; its end leaves `netlog.json` there."""
    assert CHROMIUM
    their_commands, our_commands = os.pipe()
    our_events, their_events = os.pipe()
    # Chromium reads commands from descriptor 3 and writes to 4: first move ours out of the way of these.
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (their_commands, their_events)]
    null = os.open(os.devnull, os.O_RDWR)
    process = os.posix_spawn(
        CHROMIUM,
        [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={folder / 'netlog.json'}"],
        {**os.environ, "HOME": str(folder)},
        file_actions=[
            *((os.POSIX_SPAWN_DUP2, null, output) for output in (1, 2)),
            (os.POSIX_SPAWN_DUP2, high[0], 3),
            (os.POSIX_SPAWN_DUP2, high[1], 4),
        ],
        setpgroup=0,
    )
    for end in (their_commands, their_events, null, *high):
        os.close(end)
    try:
        page = Page(our_commands, our_events)
        yield page.open()
        page.send("Browser.close")
        until = time.monotonic() + 10
        while os.waitpid(process, os.WNOHANG)[0] == 0:
            if time.monotonic() > until:
                raise TimeoutError("Chromium does not end")
            time.sleep(0.02)
    except BaseException:
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
        raise
    finally:
        os.close(our_commands)
        os.close(our_events)


def hosts_asked(netlog: Path) -> set[str]:
    """Every host that pages asked for anything, as Chromium's own network stack recorded it.

    What the browser asks of its maker (updates, the time) is no page's doing and has no origin as its initiator.
    """
    events = json.loads(netlog.read_text("utf-8"))["events"]
    asked = [event["params"] for event in events if "initiator" in event.get("params", {})]
    urls = [each["url"] for each in asked if each["initiator"] != "not an origin"]
    return {urlsplit(url).hostname or "" for url in urls}
