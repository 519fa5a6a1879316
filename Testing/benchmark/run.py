"""`make bench`: every benchmark of this folder as one table; a bench_*.py has bench() -> rows (name, seconds, note)."""

import importlib.util
import os
import platform
from pathlib import Path


def load(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{platform.machine()}, {cores} cores, Python {platform.python_version()}")
    print(f"{'what':58}  {'seconds':>9}  note")
    for path in sorted(Path(__file__).parent.glob("bench_*.py")):
        for name, seconds, note in load(path).bench():
            print(f"{name:58}  {seconds:9.3f}  {note}", flush=True)


if __name__ == "__main__":
    main()
