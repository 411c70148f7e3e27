"""The command demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocr.cli.options import Weights


def demo(
    host: Annotated[str, typer.Option(help="0.0.0.0 lets other machines in")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="default: the first free one from 7860 on")
    ] = None,
    weights: Weights = "latin-small",
    collect: Annotated[
        Path | None, typer.Option(help="let visitors correct readings, kept in this folder")
    ] = None,
    max_megabytes: Annotated[int, typer.Option(min=1, help="largest upload")] = 20,
    browser: Annotated[bool, typer.Option("--browser", help="open it in a browser")] = False,
) -> None:
    """Serve the web page that reads lines and shows how (extra `demo`).

    Examples:

    * `ocr demo`

    * `ocr demo --collect my-hand --browser`
    """
    from ocr.demo.launch import launch

    launch(host, port, weights, collect, max_megabytes, browser)
