"""Lines per second of training with one process and with two, on an otherwise idle machine.

    python benchmarks/training.py CONFIG [--steps 120] [--processes 1,2] [--set key=value ...]

The first third of the steps is not counted: kernels are prepared for each width then.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path


def lines_per_second(config: Path, processes: int, steps: int, settings: list[str]) -> float:
    """From the time stamps of the run's own log."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = [f"out={folder}", f"devices={processes}", "evaluate_lines=1", *settings]
        command = [sys.executable, "-m", "ocr.cli", "train", str(config)]
        command += ["--stop-after", str(steps)]
        command += [part for setting in chosen for part in ("--set", setting)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        log = (Path(folder) / "log.jsonl").read_text(encoding="utf-8").splitlines()
        records = [r for r in map(json.loads, log) if "lines" in r]
        records = records[len(records) // 3 :]
        lines = records[-1]["lines"] - records[0]["lines"]
        return lines / (records[-1]["time"] - records[0]["time"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--processes", default="1,2")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    arguments = parser.parse_args()
    first = None
    for processes in map(int, arguments.processes.split(",")):
        speed = lines_per_second(arguments.config, processes, arguments.steps, arguments.settings)
        first = first or speed
        print(f"{processes} processes: {speed:.1f} lines/s, {speed / first:.2f} times the first")


if __name__ == "__main__":
    main()
