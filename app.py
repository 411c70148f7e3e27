"""Launches the demo: `python app.py`, with the options of `ocr demo`."""

import sys

from ocr.cli import run

if __name__ == "__main__":
    sys.argv.insert(1, "demo")
    run()
