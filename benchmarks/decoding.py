"""Decoders side by side on the same emissions: milliseconds of CPU time a line, and CER.

    python benchmarks/decoding.py LINES... [--limit 100] [--lm english.arpa] [--python PEERS]

The emissions are those of our shipped network on the `valid` lines of labelled folders. Peers run
in processes of their own, with the interpreter given by --python (pip install ctc-beam-decoder
fast-ctc-decode flashlight-text numpy rapidfuzz), and pyctcdecode, which wants an older numpy, with
--python-pyctcdecode. With --lm (an ARPA file of a character n-gram, with spaces as ▁) ours
and flashlight decode once more with it, at the same weight and bonus; the other peers know models
of words only. One thread each; the first line warms up and is not counted.
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

import numpy as np

WIDTHS = (10, 25, 100)
Decode = Callable[[np.ndarray], str]


def ours(characters: str, lm: str | None, weight: float, bonus: float) -> dict[str, Decode]:
    from ocr.alphabet import Alphabet
    from ocr.ctc.beam import BeamDecoder, BeamSettings
    from ocr.ctc.greedy import greedy
    from ocr.lm.arpa import read_arpa

    alphabet = Alphabet(characters)
    decoders: dict[str, Decode] = {"greedy": lambda e: alphabet.decode(greedy(e).labels)}
    for model in (None, read_arpa(lm) if lm else None):
        for width in WIDTHS:
            settings = BeamSettings(
                width=width, beam_threshold=1e-3, lm_weight=weight, length_bonus=bonus
            )
            beam = BeamDecoder(alphabet, settings, model)
            decoders[f"beam {width}{', n-gram' if model else ''}"] = lambda e, b=beam: (
                alphabet.decode(b.decode(e)[0].labels)
            )
    return decoders


def ctc_beam_decoder(characters: str, lm, weight, bonus) -> dict[str, Decode]:
    import ctc_beam_decoder as peer

    decoder = peer.build_ctcdecoder(["", *characters])
    return {f"beam {width}": lambda e, w=width: decoder.decode(e, beam_width=w) for width in WIDTHS}


def fast_ctc_decode(characters: str, lm, weight, bonus) -> dict[str, Decode]:
    import fast_ctc_decode as peer

    symbols = ["", *characters]
    return {
        f"beam {width}": lambda e, w=width: peer.beam_search(
            np.exp(e), symbols, beam_size=w, beam_cut_threshold=0.001
        )[0]
        for width in WIDTHS
    }


def flashlight(characters: str, lm: str | None, weight: float, bonus: float) -> dict[str, Decode]:
    from flashlight.lib.text import decoder as peer
    from flashlight.lib.text.decoder.kenlm import KenLM
    from flashlight.lib.text.dictionary import Dictionary

    tokens = Dictionary(["<blank>", *("▁" if c == " " else c for c in characters)])
    models = [(peer.ZeroLM(), 0.0, 0.0, "")]
    if lm:
        # its weight multiplies log10 probabilities, ours natural ones
        models.append((KenLM(lm, tokens), weight * float(np.log(10)), bonus, ", n-gram"))
    decoders: dict[str, Decode] = {}
    for model, alpha, _beta, name in models:
        for width in WIDTHS:
            options = peer.LexiconFreeDecoderOptions(
                width, 24, 14.0, alpha, 0.0, True, peer.CriterionType.CTC
            )
            beam = peer.LexiconFreeDecoder(options, model, -1, 0, [])

            def decode(e: np.ndarray, beam=beam) -> str:
                e = np.ascontiguousarray(e, np.float32)
                best = beam.decode(e.ctypes.data, *e.shape)[0].tokens
                collapsed = [k for k, before in zip(best, [-1, *best], strict=False) if k != before]
                return "".join(characters[k - 1] for k in collapsed if k > 0)

            decoders[f"beam {width}{name}"] = decode
    return decoders


def pyctcdecode(characters: str, lm, weight, bonus) -> dict[str, Decode]:
    from pyctcdecode import build_ctcdecoder

    decoder = build_ctcdecoder(["", *characters])
    return {f"beam {width}": lambda e, w=width: decoder.decode(e, beam_width=w) for width in WIDTHS}


ENGINES = {
    "ours": ours,
    "ctc-beam-decoder": ctc_beam_decoder,
    "fast-ctc-decode": fast_ctc_decode,
    "flashlight-text": flashlight,
    "pyctcdecode": pyctcdecode,
}


def run_engine(name: str, file: Path, lm: str | None, weight: float, bonus: float) -> dict:
    """In the engine's own process: {configuration: [milliseconds a line, CER]}."""
    from rapidfuzz.distance import Levenshtein

    stored = np.load(file)
    texts = json.loads(str(stored["texts"]))
    lines = [stored[f"line{i}"] for i in range(len(texts))]
    results = {}
    for label, decode in ENGINES[name](str(stored["characters"]), lm, weight, bonus).items():
        decode(lines[0])
        seconds = time.process_time()
        read = [decode(line) for line in lines]
        seconds = time.process_time() - seconds
        edits = sum(Levenshtein.distance(t, r) for t, r in zip(texts, read, strict=True))
        results[label] = [1000 * seconds / len(lines), 100 * edits / sum(map(len, texts))]
    return results


def emissions_of(folders: Sequence[Path], limit: int, file: Path) -> None:
    """Store the shipped network's emissions on valid lines, with their texts."""
    import ocr
    from ocr.data.cache import load_sample
    from ocr.data.folder import read_folder

    recogniser = ocr.load()
    samples = []
    for folder in folders:
        found = read_folder(folder, "valid") or read_folder(folder)
        count = min(limit, len(found))
        samples += [found[i * len(found) // count] for i in range(count)]
    scores = recogniser.emit([load_sample(s, recogniser.card.preparation) for s in samples])
    np.savez(
        file,
        texts=json.dumps([s.text for s in samples]),
        characters="".join(recogniser.alphabet.characters),
        **{f"line{i}": line for i, line in enumerate(scores)},
    )
    frames = np.mean([len(s) for s in scores])
    print(f"{len(samples)} lines, {frames:.0f} frames and {scores[0].shape[1]} classes on average")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lines", nargs="*", type=Path, help="labelled folders")
    parser.add_argument("--limit", type=int, default=100, help="lines of each folder")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--lm", help="ARPA file of a character n-gram")
    parser.add_argument("--lm-weight", type=float, default=0.5)
    parser.add_argument("--length-bonus", type=float, default=1.0)
    parser.add_argument("--python", default=sys.executable, help="interpreter of the peers")
    parser.add_argument("--python-pyctcdecode", default=sys.executable)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    weights = (arguments.lm_weight, arguments.length_bonus)
    if arguments.one:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(json.dumps(run_engine(arguments.one, arguments.file, arguments.lm, *weights)))
        return
    interpreters = {"ours": sys.executable, "pyctcdecode": arguments.python_pyctcdecode}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "emissions.npz"
        emissions_of(arguments.lines, arguments.limit, file)
        print(f"{'engine':18}{'search':22}{'ms a line':>10}{'CER %':>8}")
        for name in arguments.engines.split(","):
            command = [interpreters.get(name, arguments.python), __file__, "--one", name]
            command += ["--file", str(file), "--lm-weight", str(weights[0])]
            command += ["--length-bonus", str(weights[1])]
            if arguments.lm:
                command += ["--lm", arguments.lm]
            done = subprocess.run(
                command,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
            )
            if done.returncode:
                reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
                print(f"{name:18}left out ({reason})")
                continue
            for label, (milliseconds, cer) in json.loads(done.stdout.splitlines()[-1]).items():
                print(f"{name:18}{label:22}{milliseconds:10.3f}{cer:8.2f}")


if __name__ == "__main__":
    main()
