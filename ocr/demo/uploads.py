"""Refuses an address where a file is meant: gradio would fetch it for the visitor, from whatever
hosts this machine reaches."""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_REASON = "only uploaded files are read, and no address is fetched"
# one letter before the colon is a drive
_SCHEME = r"\s*[a-z][a-z0-9+.-]+:"
_ADDRESS = re.compile(_SCHEME, re.IGNORECASE)
_ADDRESS_AS_FILE = re.compile(rf"/file[=/]{_SCHEME}", re.IGNORECASE)
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


class UploadsOnly:
    """ASGI middleware. Uploads, which are forms, pass through it unbuffered; what else is sent is
    JSON, whose files are objects with a path."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _ADDRESS_AS_FILE.search(scope["path"]):
            await JSONResponse({"detail": _REASON}, 403)(scope, receive, send)
            return
        request = Request(scope, receive)
        if request.headers.get("content-type", "").lower().startswith(_FORMS):
            await self.app(scope, receive, send)
            return
        body = await request.body()
        if body and (reason := _what_is_wrong(body)):
            # in the form in which gradio's clients show it
            said = {"__type__": "validate", "is_valid": False, "message": reason}
            await JSONResponse({"detail": [said]}, 422)(scope, receive, send)
            return
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)


class _AddressError(ValueError):
    pass


def _what_is_wrong(body: bytes) -> str:
    """A reason to refuse what was sent, or none. What cannot be looked through is refused, too."""
    try:
        json.loads(body, object_pairs_hook=_without_address)
    except _AddressError as error:
        return f"{error}: {_REASON}"
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return ""


def _without_address(pairs: list[tuple[str, Any]]) -> None:
    # pairs, not a dictionary: whichever of two equal keys counts later
    for key, value in pairs:
        if key == "path" and isinstance(value, str) and _ADDRESS.match(value):
            raise _AddressError(value)
