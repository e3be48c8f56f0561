#!/usr/bin/env bash
# polars scans a folder of Parquet only if nothing else lies in it, at any depth: a file of another kind in a folder that other
# readers pass over by its name (_progress/, .hidden/) makes scan_parquet(folder) fail, though the Parquet files are fine. What it
# does pass over is a file without a byte, whatever its name. pyarrow passes over names with an underscore or a dot. So a writer
# that keeps its own notes beside the data can't hide them from polars by a name: they have to be Parquet, be empty or lie elsewhere.
#
# Seen on 2026-11-29 with polars 2.1.0 and pyarrow 26.0.1 (PyPI, Python 3.11): polars raises InvalidOperationError ("different
# file extensions") for _progress/0.json and for .progress/0.json, and reads the folder with an empty _SUCCESS.
#
# Needs Python 3 and a package index. Exits with 1 if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check polars==2.1.0 pyarrow==26.0.1
cd "$dir"
"$dir/venv/bin/python" - <<'PY'
import pathlib
import sys

import polars
import pyarrow
import pyarrow.dataset

print("polars", polars.__version__, "pyarrow", pyarrow.__version__)
changed = 0


def case(name, files, want_polars, want_pyarrow):
    global changed
    root = pathlib.Path(name)
    part = root / "dt=2026-11-29"
    part.mkdir(parents=True)
    polars.DataFrame({"n": [1, 2, 3]}).write_parquet(part / "a.parquet")
    for path, text in files.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text)
    try:
        by_polars = str(polars.scan_parquet(str(root) + "/").select(polars.len()).collect().item())
    except polars.exceptions.InvalidOperationError as err:
        by_polars = "InvalidOperationError" if "different file extensions" in str(err) else f"InvalidOperationError: {err}"
    by_pyarrow = str(pyarrow.dataset.dataset(name, format="parquet").count_rows())
    print(f"{name}: polars {by_polars}, pyarrow {by_pyarrow}")
    changed += (by_polars, by_pyarrow) != (want_polars, want_pyarrow)


case("alone", {}, "3", "3")
case("underscore", {"_progress/0.json": "{}"}, "InvalidOperationError", "3")
case("dot", {".progress/0.json": "{}"}, "InvalidOperationError", "3")
case("empty", {"_SUCCESS": ""}, "3", "3")
sys.exit(1 if changed else 0)
PY
