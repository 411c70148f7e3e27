"""Start the demo's server."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import sys
import threading
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from ocr.cores import cores
from ocr.errors import OcrError
from ocr.loading import find_weights


class DemoError(OcrError):
    """The demo cannot start; the message says why."""


def launch(
    host: str = "127.0.0.1",
    port: int | None = None,
    weights: str = "latin-small",
    collect: Path | None = None,
    max_megabytes: int = 20,
    browser: bool = False,
    block: bool = True,
) -> str:
    """Serve the page and return its address (at once, unless `block`).

    Nothing is asked of other hosts, and nothing is reported to anybody. Raises DemoError where the
    extra `demo` is not installed or the port is taken.
    """
    # what can be said at once is said before seconds of imports
    find_weights(weights)
    _check_address(host, port)
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if block:
        _end_tidily()
    _keep_uploads_private()
    try:
        import gradio as gr  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        raise DemoError("the demo needs gradio: pip install 'ocr-lines[demo]'") from None
    from starlette.middleware import Middleware

    from ocr.demo.look import CSS, theme
    from ocr.demo.machine import Machine, sample_images
    from ocr.demo.page import build
    from ocr.demo.policy import ContentPolicy
    from ocr.demo.uploads import UploadsOnly

    page = build(Machine(weights), collect)
    page.queue(max_size=64, default_concurrency_limit=cores())
    folders = {str(p.parent) for p in sample_images()}
    try:
        _, address, _ = page.launch(
            server_name=host,
            server_port=port,
            share=False,
            quiet=True,
            show_error=True,
            inbrowser=browser,
            max_file_size=max_megabytes * 2**20,
            allowed_paths=sorted(folders),
            theme=theme(),
            css=CSS,
            footer_links=["api"],
            ssr_mode=False,
            prevent_thread_lock=True,
            app_kwargs={"middleware": [Middleware(ContentPolicy), Middleware(UploadsOnly)]},
        )
    except (OSError, OverflowError) as error:
        raise _not_listening(host, port, error) from None
    print(f"reading lines at {address}", flush=True)
    if block:
        page.block_thread()
    return address


def _check_address(host: str, port: int | None) -> None:
    """Raises DemoError where no server can listen there."""
    failed: OSError | None = None
    try:
        places = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise DemoError(f"cannot listen on {host}: {error}") from None
    for family, kind, _, _, address in places:
        try:
            with socket.socket(family, kind) as tried:
                # as servers do: a port whose last server has just ended is free
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(address)
            return  # one is enough: a name may have one of IPv6 where the machine has none
        except OSError as error:
            failed = error
    if failed:
        raise _not_listening(host, port, failed)


def _not_listening(host: str, port: int | None, error: Exception) -> DemoError:
    reason = str(error)
    if port and isinstance(error, OSError):
        reason = "it is taken, or not for us; another --port"
    return DemoError(f"cannot listen on {host}, port {port or '7860 to 7959'}: {reason}")


@cache
def _keep_uploads_private() -> None:
    """What visitors upload lies in a folder of this process, and goes with it (Gradio's own is
    shared and stays). Before Gradio is imported, which takes the name of its folder then."""
    if not os.environ.get("GRADIO_TEMP_DIR"):
        folder = TemporaryDirectory(prefix="ocr-uploads-", ignore_cleanup_errors=True)
        os.environ["GRADIO_TEMP_DIR"] = folder.name
        atexit.register(folder.cleanup)


def _end_tidily() -> None:
    """A service is ended by SIGTERM, and a terminal that is closed ends by SIGHUP what runs in it;
    both would leave what is removed at exit."""
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            if number := getattr(signal, name, None):  # Windows has no SIGHUP
                signal.signal(number, lambda number, frame: sys.exit(0))
