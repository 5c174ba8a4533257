"""The emulator's own process: ministack behind a guard. It ends with the command that started it.

Run by path, with the secret in the environment and a pipe from the command as standard input.
"""

from __future__ import annotations

import hmac
import importlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


def guarded(app: App, url: str) -> App:
    """Return the app for requests to this URL alone: its path, which is a secret, its Host, and no foreign Origin.

    A web page that the user visits can send requests to 127.0.0.1, but it can neither know the path nor leave out its
    own Origin, and a name that it points to 127.0.0.1 is in the Host.
    """
    place = urlsplit(url)
    prefix, host = f"{place.path}/", place.netloc.encode()
    allowed = {b"host": {host}, b"origin": {b"http://" + host}}

    async def guard(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
            return
        is_foreign = any(value not in allowed.get(name.lower(), {value}) for name, value in scope["headers"])
        path = f"{scope['path']}/"[: len(prefix)]
        if is_foreign or not hmac.compare_digest(path.encode(), prefix.encode()):
            await _refuse(scope["type"], send)
            return
        raw = scope.get("raw_path") or scope["path"].encode()
        inner = {"path": scope["path"][len(prefix) - 1 :] or "/", "raw_path": raw[len(prefix) - 1 :] or b"/"}
        await app({**scope, **inner}, receive, send)

    return guard


async def _refuse(kind: str, send: Any) -> None:
    if kind == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"this emulator answers only the URL that it was started with\n"})


def _end_with_parent(folder: str) -> None:
    """Wait until the pipe closes, however the parent ends. Then remove the data and end all processes."""
    while sys.stdin.buffer.read(1):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    """Serve until SIGTERM, or until the parent ends."""
    threading.Thread(target=_end_with_parent, args=(os.environ["TMPDIR"],), daemon=True).start()
    ministack: Any = importlib.import_module("ministack.app")
    ministack.app = guarded(ministack.app, os.environ["AWS_ENDPOINT_URL"])
    sys.argv = ["ministack"]
    ministack.main()


if __name__ == "__main__":
    main()
