"""A headless Chromium, driven through a pipe (the DevTools protocol), for the page of the relay."""

import base64
import json
import os
import shutil
import signal
import subprocess
import time

from netlab.expect import PATIENCE, Failure, Skip, until
from netlab.process import _die_with_parent

NAMES = ("chromium", "chromium-headless-shell", "google-chrome")
KEYS = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowDown": 40, "End": 35, "Home": 36}


def chromium():
    """Its path; without one the test is skipped."""
    for name in NAMES:
        if shutil.which(name):
            return shutil.which(name)
    raise Skip("there is no Chromium (Debian package chromium)")


class Browser:
    """One browser with one page. `asked`: every address that the page asked for; `faults`: what it
    said on its console, and what the browser refused it."""

    def __init__(self, world, namespace):
        self.asked, self.faults, self._answers, self._number, self._left = [], [], {}, 0, b""
        read_here, write_there = os.pipe()
        read_there, write_here = os.pipe()
        argv = ["ip", "netns", "exec", namespace, "bash", "-c", 'exec "$@" 3<&$IN 4>&$OUT', "bash",
                chromium(), "--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--disable-gpu",
                "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--hide-scrollbars", "--force-device-scale-factor=1",
                f"--user-data-dir={world.path('chromium')}", "about:blank"]
        with open(world.path("chromium.log"), "wb") as log:
            self.popen = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_die_with_parent,
                pass_fds=(read_there, write_there), start_new_session=True,
                env={**os.environ, "HOME": world.directory, "IN": str(read_there), "OUT": str(write_there)})
        os.close(read_there)
        os.close(write_there)
        self._read, self._write = read_here, write_here
        os.set_blocking(self._read, False)
        targets = until(lambda: self.call("Target.getTargets", session=None)["targetInfos"], "a page", 30)
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        self.session = None
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    # -- the protocol

    def call(self, method, session="own", **params):
        """The result of a command. Events are taken in while it is waited for."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session == "own" and getattr(self, "session", None):
            message["sessionId"] = self.session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + 30 * PATIENCE
        while self._number not in self._answers:
            self.take_in()
            if self.popen.poll() is not None:
                raise Failure(f"Chromium exited {self.popen.returncode}")
            if time.monotonic() > deadline:
                raise Failure(f"{method} is not answered")
            time.sleep(0.005)
        answer = self._answers.pop(self._number)
        if "error" in answer:
            raise Failure(f"{method}: {answer['error']}")
        return answer["result"]

    def take_in(self):
        try:
            while more := os.read(self._read, 1 << 20):
                self._left += more
        except BlockingIOError:
            pass
        *whole, self._left = self._left.split(b"\0")
        for text in whole:
            message = json.loads(text)
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self._event(message["method"], message["params"])

    def _event(self, method, params):
        if method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.faults.append(json.dumps(params["exceptionDetails"])[:2000])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.faults.append(json.dumps(params["args"])[:2000])
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.faults.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    # -- the page

    def shape(self, width, height, dark=False, mobile=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=mobile)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, address):
        self.call("Page.navigate", url=address)
        until(lambda: self.run("document.readyState") == "complete", f"{address} is loaded")

    def run(self, expression):
        """The value of an expression, in JavaScript."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise Failure(f"{expression}: {json.dumps(done['exceptionDetails'])[:1000]}")
        return done["result"].get("value")

    def key(self, key):
        code = KEYS.get(key, ord(key.upper()) if len(key) == 1 else 0)
        more = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def picture(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def close(self):
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()
