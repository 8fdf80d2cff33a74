"""A headless Chromium that opens one file and tells what it asked for and complained about.

Spoken to by its DevTools protocol on loopback; every name resolves to nothing, so that the browser's
own errands (updates, time) do not leave the machine either.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-port=0", "--remote-allow-origins=*",
)  # fmt: skip


@dataclass
class Seen:
    """What happened while a page was opened."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    picture: bytes = b""


def chromium() -> str:
    """Find the browser; skips the test where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no chromium on this machine")
    return found


def open_file(path: Path, folder: Path, *, scheme: str = "light", ask: dict[str, str] | None = None) -> Seen:
    """Open a file as a person with that colour scheme would; ``ask`` maps names to script expressions."""
    profile = folder / f"profile-{scheme}"
    command = [chromium(), *_FLAGS, f"--user-data-dir={profile}", "--window-size=1100,1400", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with connect(_page_of(profile, process), max_size=None, open_timeout=20) as session:
            return _watched(session, path, scheme, ask or {})
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        shutil.rmtree(profile, ignore_errors=True)


def _page_of(profile: Path, process: subprocess.Popen[bytes]) -> str:
    told, until = profile / "DevToolsActivePort", time.monotonic() + 40
    while not told.exists() or len(told.read_text().splitlines()) < 2:
        assert process.poll() is None, "chromium ended at once"
        assert time.monotonic() < until, "chromium did not come up"
        time.sleep(0.05)
    port = told.read_text().splitlines()[0]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
        pages = [p for p in json.load(answer) if p["type"] == "page"]
    return str(pages[0]["webSocketDebuggerUrl"])


def _heard(seen: Seen, told: dict[str, Any]) -> None:
    what = told.get("params", {})
    match told.get("method"):
        case "Network.requestWillBeSent":
            seen.requests.append(what["request"]["url"])
        case "Log.entryAdded":
            seen.complaints.append(what["entry"]["text"])
        case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
            seen.complaints.append(json.dumps(what)[:500])


def _watched(session: ClientConnection, path: Path, scheme: str, ask: dict[str, str]) -> Seen:
    seen, number = Seen(), 0

    def call(method: str, **params: Any) -> dict[str, Any]:
        nonlocal number
        number += 1
        session.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            told = json.loads(session.recv(timeout=30))
            _heard(seen, told)
            if told.get("id") == number:
                assert "error" not in told, told
                return dict(told["result"])

    for domain in ("Network", "Log", "Runtime", "Page"):
        call(f"{domain}.enable")
    call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    call("Page.navigate", url=path.as_uri())
    until = time.monotonic() + 20
    while call("Runtime.evaluate", expression="document.readyState")["result"].get("value") != "complete":
        assert time.monotonic() < until, "the page did not load"
    for name, expression in ask.items():
        seen.values[name] = call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")
    seen.picture = base64.b64decode(call("Page.captureScreenshot", format="png")["data"])
    return seen
