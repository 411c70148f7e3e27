"""Colours, fonts and sizes of the page. Nothing is fetched: fonts are those of the visitor's own
system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr

_SANS = ("ui-sans-serif", "system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.Theme:
    import gradio as gr

    return gr.themes.Default(
        primary_hue="blue", neutral_hue="slate", font=list(_SANS), font_mono=list(_MONO)
    ).set(
        # gradio's own grey is too pale to be read on white
        body_text_color_subdued="*neutral_500",
        block_info_text_color="*neutral_500",
    )


# the browser itself refuses whatever a component might want from elsewhere
CONTENT_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "frame-ancestors 'self'; base-uri 'self'; form-action 'self'"
)

CSS = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
