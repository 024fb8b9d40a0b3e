"""Build the small program that runs steps in the C++ core of BPCells.

The core comes with the source package ``bpcells`` of the registry (its Python functions read and slice only; its R package, which is
not there, calls the same core). A C++17 compiler and the headers of HDF5 and Eigen must be on the machine, as in Debian's packages
``libhdf5-dev`` and ``libeigen3-dev``. Where something is missing, the rows of the bench that need the program say so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PACKAGE = "bpcells==0.3.0rc2"
FOLDER = Path(os.environ.get("BENCH_BPCELLS", Path(__file__).resolve().parents[1] / ".bench-bpcells"))
SOURCE = Path(__file__).parent / "bpcells_steps.cpp"
LEFT_OUT = ("PeakMatrix", "TileMatrix", "MatrixMarketImport")
"""Parts of the core that need its code for fragments."""

HIGHWAY = ("aligned_allocator", "per_target", "print", "targets", "timer")
HEADERS = ("/usr/include/eigen3", "/usr/include/hdf5/serial", "/usr/local/include", "/usr/local/include/eigen3")
LIBRARIES = ("/usr/lib/x86_64-linux-gnu/hdf5/serial", "/usr/lib/aarch64-linux-gnu/hdf5/serial", "/usr/local/lib")
FLAGS = ("-std=c++17", "-O2", "-w", "-DEIGEN_PERMANENTLY_DISABLE_STUPID_WARNINGS")
BUILD_THREADS = 2


def program() -> Path:
    """Path of the program, built or not."""
    return FOLDER / "bpcells_steps"


def build() -> Path:
    """Fetch the source package with pip, compile what the steps need, and link it.

    Returns
    -------
    Path of the program.
    """
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        message = "A C++ compiler is needed. Found neither g++ nor clang++."
        raise RuntimeError(message)
    FOLDER.mkdir(exist_ok=True)
    source = _fetched()
    core = source / "bpcells-cpp"
    rooms = ("arrayIO", "matrixTransforms", "matrixUtils", "matrixIterators", "simd", "simd/bp128")
    files = [file for room in rooms for file in sorted((core / room).glob("*.cpp")) if file.stem not in LEFT_OUT]
    files += [source / "vendor" / "highway" / "hwy" / f"{name}.cc" for name in HIGHWAY]
    included = [
        core,
        source / "vendor" / "highway",
        source / "vendor",
        *(Path(each) for each in HEADERS if Path(each).is_dir()),
    ]
    command = [compiler, *FLAGS, *(f"-I{each}" for each in included)]
    with ThreadPoolExecutor(BUILD_THREADS) as pool:
        objects = list(pool.map(lambda file: _compiled(command, file), files))
    linked = [f"-L{each}" for each in LIBRARIES if Path(each).is_dir()]
    subprocess.run(
        [*command, str(SOURCE), *map(str, objects), *linked, "-lhdf5", "-lz", "-lpthread", "-o", str(program())],
        check=True,
    )
    return program()


def _fetched() -> Path:
    found = sorted(FOLDER.glob("bpcells-*/src"))
    if found:
        return found[0]
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "bpcells"]
        subprocess.run([*pip, "--dest", folder, PACKAGE], check=True)
        with tarfile.open(next(Path(folder).glob("*.tar.gz"))) as packed:
            packed.extractall(FOLDER, filter="data")
    return sorted(FOLDER.glob("bpcells-*/src"))[0]


def _compiled(command: list[str], file: Path) -> Path:
    built = FOLDER / f"{file.parent.name}-{file.stem}.o"
    if not built.is_file():
        subprocess.run([*command, "-c", str(file), "-o", str(built)], check=True)
    return built


if __name__ == "__main__":
    sys.stdout.write(f"{build()}\n")
