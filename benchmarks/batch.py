"""Batch reading: lines a second and peak memory of `ocr batch`, beside other engines.

    python benchmarks/batch.py PRINT HANDS [--limit 2000] [--python PEERS] [--many 100000]

PRINT and HANDS are labelled folders of line images (labels.tsv). Ours runs as the command does, in
a process of its own, with one worker and with two, greedy and with the language model, eight bits,
float, with torch (extra `train`) and on a local Ray (extra `distributed`; memory is its driver's).
The peers (with the interpreter given by --python: pip install tesserocr rapidocr) run in a process
of one thread. Wall time, from process start to end. With --many the lines are repeated, and the
memory of such a run is compared with that of the short one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OURS = {
    "greedy": ["--decoder", "greedy"],
    "beam, lm auto": ["--decoder", "beam"],
    "greedy, float": ["--decoder", "greedy", "--weights", "latin-small.onnx"],
    "greedy, torch": ["--decoder", "greedy", "--weights", "latin-small.safetensors"],
    "greedy, ray": ["--decoder", "greedy", "--engine", "ray"],
}
SINGLE = {"OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1"}


def images_of(folder: Path, limit: int) -> list[Path]:
    rows = [r.split("\t") for r in (folder / "labels.tsv").read_text("utf-8").splitlines()]
    place = rows[0].index("path")
    paths = [(folder / row[place]).resolve() for row in rows[1:]]
    return [paths[i % len(paths)] for i in range(limit)]


def measured(command: list[str], cores: int) -> tuple[float, float]:
    """Seconds and peak memory in MB of a process that may use so many cores."""
    start = time.perf_counter()
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    process = subprocess.Popen(
        command,
        env={**os.environ, **SINGLE},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
    )
    errors = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        lines = errors.decode().strip().splitlines() or ["no message"]
        raise RuntimeError(lines[-1])
    return time.perf_counter() - start, usage.ru_maxrss / 1024


PEER = """
import sys
from pathlib import Path
sys.path.insert(0, str(Path(sys.argv[1]).parent))
from recognition import ENGINES
read = ENGINES[sys.argv[2]]()
paths = [Path(p) for p in open(sys.argv[3]).read().split("\\n") if p]
for first in range(0, len(paths), 64):
    read(paths[first : first + 64])
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, help="labelled folders")
    parser.add_argument("--limit", type=int, default=2000, help="lines of each folder")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the peers")
    parser.add_argument("--only", help="rows of ours with this in their label, and no peers")
    parser.add_argument("--many", type=int, help="lines of a long run, for its memory")
    arguments = parser.parse_args()
    weights = Path(__file__).resolve().parent.parent / "weights"

    print(f"{'':40}" + "".join(f"{f.name[:18]:>20}" for f in arguments.folders))
    print(f"{'':40}" + f"{'lines/s':>12}{'MB':>8}" * len(arguments.folders))
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        lists = []
        for number, folder in enumerate(arguments.folders):
            listing = place / f"{number}.txt"
            listing.write_text("".join(f"{p}\n" for p in images_of(folder, arguments.limit)))
            lists.append(listing)

        def row(label: str, commands: list[list[str]], cores: int, lines: int) -> None:
            cells = ""
            for command in commands:
                try:
                    seconds, memory = measured(command, cores)
                    cells += f"{lines / seconds:12.1f}{memory:8.0f}"
                except RuntimeError as error:
                    cells += f"  left out ({error})"
            print(f"{label:40}{cells}", flush=True)

        for label, options in OURS.items():
            if arguments.only and arguments.only not in label:
                continue
            options = [str(weights / o) if o.startswith("latin-") else o for o in options]
            for workers in (1, 2):
                commands = [
                    [
                        *(sys.executable, "-m", "ocr.cli", "batch", str(listing), *options),
                        *("--workers", str(workers), "--overwrite"),
                        *("--out", str(place / f"{label}{workers}{listing.stem}.jsonl")),
                    ]
                    for listing in lists
                ]
                row(f"ours, {label}, {workers} workers", commands, workers, arguments.limit)
        for engine in ("tesserocr", "rapidocr"):
            if arguments.only:
                break
            commands = [[arguments.python, "-c", PEER, __file__, engine, str(n)] for n in lists]
            row(f"{engine}, one thread", commands, 1, arguments.limit)
        if arguments.many:
            for listing in lists:
                paths = listing.read_text().splitlines()
                count = arguments.many
                listing.write_text("".join(f"{paths[i % len(paths)]}\n" for i in range(count)))
            commands = [
                [
                    *(sys.executable, "-m", "ocr.cli", "batch", str(n), "--decoder", "greedy"),
                    *("--workers", "2", "--out", str(place / f"many{n.stem}.jsonl")),
                ]
                for n in lists
            ]
            row(f"ours, greedy, 2 workers, {arguments.many:,}", commands, 2, arguments.many)


if __name__ == "__main__":
    main()
