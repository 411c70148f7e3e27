from ocr.cli import run

run()
