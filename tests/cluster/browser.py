#!/usr/bin/env python3
"""Loads a page in a headless Chromium and tells what happened, as one JSON object:

    browser.py FILE.html [--evaluate JAVASCRIPT] [--screenshot FILE.png [--clip SELECTOR]]
               [--width N] [--dark]

    {"errors": [...], "requests": [...], "value": ...}

errors: whatever the page or the browser said on its console, exceptions, violations of the page's
policy, and failed loads. requests: URLs asked for, without the page's own and data:. value: of
--evaluate. It talks to the browser through two pipes (--remote-debugging-pipe): no port is opened.
Exit status 77: there is no Chromium. Only the standard library is used."""
import argparse
import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 60


class Browser:
    def __init__(self, program, profile):
        to_browser, self.out = os.pipe()
        self.inp, from_browser = os.pipe()
        self.buffer, self.number, self.events = b"", 0, []
        ours = (to_browser, from_browser)

        def hand_over():  # the browser reads from 3 and writes to 4
            a, b = os.dup(ours[0]), os.dup(ours[1])
            os.dup2(a, 3)
            os.dup2(b, 4)
            os.set_inheritable(3, True)
            os.set_inheritable(4, True)

        command = [program, "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run",
                   "--disable-dev-shm-usage", "--disable-background-networking", "--hide-scrollbars",
                   "--user-data-dir=" + profile, "about:blank"]
        if os.geteuid() == 0:
            command.insert(1, "--no-sandbox")
        self.process = subprocess.Popen(command, preexec_fn=hand_over, close_fds=False,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)

    def read(self, until):
        while b"\0" not in self.buffer:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.inp], [], [], left)[0]:
                raise TimeoutError("the browser says nothing")
            piece = os.read(self.inp, 1 << 20)
            if not piece:
                raise EOFError("the browser has gone")
            self.buffer += piece
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + PATIENCE_S
        while True:
            answer = self.read(until)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(method + ": " + answer["error"]["message"])
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def wait(self, method):
        until = time.monotonic() + PATIENCE_S
        while not any(event["method"] == method for event in self.events):
            event = self.read(until)
            if "method" in event:
                self.events.append(event)

    def close(self):
        try:
            self.call("Browser.close")
        except (RuntimeError, EOFError, TimeoutError, OSError):
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def said(event):
    params = event["params"]
    if event["method"] == "Runtime.exceptionThrown":
        details = params["exceptionDetails"]
        return details.get("exception", {}).get("description", details["text"])
    if event["method"] == "Runtime.consoleAPICalled":
        return "console: " + " ".join(str(a.get("value", a.get("description"))) for a in params["args"])
    if event["method"] == "Log.entryAdded":
        return params["entry"]["text"]
    if event["method"] == "Network.loadingFailed":
        return "not loaded: " + params.get("errorText", "") + params.get("blockedReason", "")
    return None


def visit(browser, args):
    url = pathlib.Path(args.file).resolve().as_uri()
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Runtime", "Log", "Network", "Page"):
        browser.call(domain + ".enable", session)
    browser.call("Emulation.setDeviceMetricsOverride", session, width=args.width, height=900,
                 deviceScaleFactor=1, mobile=False)
    browser.call("Emulation.setEmulatedMedia", session,
                 features=[{"name": "prefers-color-scheme", "value": "dark" if args.dark else "light"}])
    browser.events.clear()
    browser.call("Page.navigate", session, url=url)
    browser.wait("Page.loadEventFired")
    # two frames later all is laid out, and whatever it starts has started
    browser.call("Runtime.evaluate", session, awaitPromise=True, expression="new Promise(done => "
                 "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 200))))")
    value = None
    if args.evaluate:
        result = browser.call("Runtime.evaluate", session, expression=args.evaluate, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError("--evaluate: " + json.dumps(result["exceptionDetails"]))
        value = result["result"].get("value")
    if args.screenshot:
        options = {"captureBeyondViewport": True}
        where = "document.querySelector(%s).getBoundingClientRect().toJSON()" % json.dumps(args.clip or "html")
        box = browser.call("Runtime.evaluate", session, expression=where, returnByValue=True)["result"]["value"]
        options["clip"] = {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"], "scale": 1}
        image = browser.call("Page.captureScreenshot", session, format="png", **options)["data"]
        pathlib.Path(args.screenshot).write_bytes(base64.b64decode(image))
    errors = [text for text in map(said, browser.events) if text]
    requests = [event["params"]["request"]["url"] for event in browser.events
                if event["method"] == "Network.requestWillBeSent"]
    requests = [request for request in requests if request != url and not request.startswith("data:")]
    return {"errors": errors, "requests": requests, "value": value}


def main():
    parser = argparse.ArgumentParser(description="Loads a page in a headless Chromium.")
    parser.add_argument("file")
    parser.add_argument("--evaluate")
    parser.add_argument("--screenshot")
    parser.add_argument("--clip")
    parser.add_argument("--width", type=int, default=1200)
    parser.add_argument("--dark", action="store_true")
    args = parser.parse_args()
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not program:
        print("there is no Chromium", file=sys.stderr)
        return 77
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            print(json.dumps(visit(browser, args)))
        finally:
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
