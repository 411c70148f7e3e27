"""Launches the demo: `python app.py`, with the options of `ocr demo`."""

import sys

from ocr.cli import run

if __name__ == "__main__":
    sys.argv[:1] = ["ocr", "demo"]  # its help and errors name a command that exists
    run()
