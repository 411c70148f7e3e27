"""Every way to run the network on a CPU: lines a second of one thread, and greedy CER.

    python benchmarks/engines.py LINES... [--limit 200] [--weights weights/latin-small]

LINES are labelled folders (labels.tsv; the split `test`, or all lines where there is none),
prepared before the clock starts. Each way runs in a process of its own, pinned to one core; kernels
are prepared (and torch.compile compiles) on a first pass over the same lines that is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from ocr.emissions import Emissions

WAYS = ("int8", "onnx", "torch", "torch-bf16", "torch-compiled")


def emissions_of(way: str, weights: Path) -> Emissions:
    from ocr.emissions import OnnxEmissions, TorchEmissions

    if way == "int8":
        return OnnxEmissions(weights.with_suffix(".int8.onnx"))
    if way == "onnx":
        return OnnxEmissions(weights.with_suffix(".onnx"))
    import torch

    torch.set_num_threads(1)
    found = TorchEmissions.load(weights.with_suffix(".safetensors"), bf16=way == "torch-bf16")
    found.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if way == "torch-compiled":
        # widths differ: one compilation for all of them, LSTMs as they are
        found.model.backbone = torch.compile(found.model.backbone, dynamic=True)
    return found


def measure(way: str, weights: Path, folders: list[Path], limit: int) -> dict[str, list[float]]:
    """In a process of its own: {set: [lines per second, CER]}."""
    from recognition import lines_of

    from ocr.evaluation.metrics import errors
    from ocr.image import ImageError
    from ocr.preparation.prepare import load
    from ocr.recogniser import Recogniser

    recogniser = Recogniser(emissions_of(way, weights))
    results = {}
    for folder in folders:
        lines, texts = [], []
        for path, text in lines_of(folder, limit):
            try:
                lines.append(load(path, recogniser.card.preparation))
            except ImageError as error:
                print(f"left out: {error}", file=sys.stderr)
                continue
            texts.append(text)
        recogniser.emit(lines)
        begun = time.process_time()
        recogniser.emit(lines)
        seconds = time.process_time() - begun
        read = [line.text for line in recogniser.read_prepared(lines)]
        results[folder.name] = [len(lines) / seconds, errors(texts, read).cer]
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lines", nargs="+", type=Path, help="labelled folders")
    parser.add_argument("--limit", type=int, default=200, help="lines of each folder")
    parser.add_argument("--weights", type=Path, default=Path("weights/latin-small"))
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(json.dumps(measure(given.one, given.weights, given.lines, given.limit)))
        return
    print(f"{'':16}" + "".join(f"{f.name[:20]:>24}" for f in given.lines))
    print(f"{'':16}" + f"{'lines/s':>14}{'CER %':>10}" * len(given.lines))
    for way in given.ways.split(","):
        command = [sys.executable, __file__, *map(str, given.lines), "--weights"]
        command += [str(given.weights), "--limit", str(given.limit), "--one", way]
        done = subprocess.run(
            command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            print(f"{way:16}left out ({reason})", flush=True)
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        cells = "".join(f"{found[f.name][0]:14.1f}{found[f.name][1]:10.2f}" for f in given.lines)
        print(f"{way:16}{cells}", flush=True)


if __name__ == "__main__":
    main()
