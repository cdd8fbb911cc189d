"""A pypyr pipeline of steps that do nothing, in a fresh folder; says what it took as one JSON object.

Usage: pypyr_bench.py FOLDER STEPS
The first run reads the pipeline file; the second finds it in pypyr's cache. Nothing is recorded.
"""

import json
import pathlib
import resource
import sys
import time
from importlib import metadata

from pypyr import pipelinerunner


def main(folder, steps):
    folder, steps = pathlib.Path(folder), int(steps)
    (folder / "noop.py").write_text("def run_step(context):\n    pass\n", encoding="utf-8")
    pipeline = folder / "chain.yaml"
    pipeline.write_text("steps:\n" + "  - noop\n" * steps, encoding="utf-8")
    seconds = [run(folder) for _ in range(2)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    version = metadata.version("pypyr")
    what = {"what": "pypyr-chain", "version": version, "steps": steps, "peak_kib": peak}
    print(json.dumps({**what, "seconds": seconds[1], "with_reading": seconds[0]}))


def run(folder):
    began = time.perf_counter()
    pipelinerunner.run(str(folder / "chain"), py_dir=folder)
    return time.perf_counter() - began


if __name__ == "__main__":
    main(*sys.argv[1:])
