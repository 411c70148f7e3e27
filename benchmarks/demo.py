"""The demo under load: 20 clients at once, 200 readings through its API, all checked.

python benchmarks/demo.py            (needs the extra `demo`)

Prints how many were answered, how many were someone else's answer, and the median and 95th
percentile of the time from question to answer.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--requests", type=int, default=200)
    options = parser.parse_args()

    from gradio_client import Client, handle_file

    from ocr import load

    images = sorted((REPOSITORY / "datasets" / "samples").glob("*.png"))
    right = {path: line.text for path, line in zip(images, load().read(images), strict=True)}
    started = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert server.stdout is not None
    address = server.stdout.readline().split()[-1]
    print(f"started in {time.perf_counter() - started:.1f} s")
    try:
        first = time.perf_counter()
        Client(address, verbose=False).predict(handle_file(images[0]), api_name="/read")
        print(f"first reading after {time.perf_counter() - first:.1f} s")

        def visit(number: int) -> list[tuple[float, bool]]:
            client = Client(address, verbose=False)
            answers = []
            for turn in range(options.requests // options.clients):
                path = images[(number + 7 * turn) % len(images)]
                begun = time.perf_counter()
                line = client.predict(handle_file(path), api_name="/read")
                answers.append((time.perf_counter() - begun, line["text"] == right[path]))
            return answers

        begun = time.perf_counter()
        with ThreadPoolExecutor(options.clients) as pool:
            answers = [a for visitor in pool.map(visit, range(options.clients)) for a in visitor]
        wall = time.perf_counter() - begun
    finally:
        server.terminate()
        server.wait()
    times = np.array([seconds for seconds, _ in answers])
    print(
        f"{len(answers)} of {options.requests} answered in {wall:.1f} s, "
        f"{sum(not good for _, good in answers)} mixed up; "
        f"median {np.median(times):.2f} s, 95th percentile {np.quantile(times, 0.95):.2f} s"
    )


if __name__ == "__main__":
    main()
