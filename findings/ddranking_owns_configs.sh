#!/usr/bin/env bash
# ddranking 0.2.0 (DD-Ranking, an evaluator of this field; wheel from the package index), seen on Python 3.11, 2026-11-27.
#
# A good guess: a wheel installs what its top_level.txt names, here the package `ddranking`.
# What it does: it also installs top-level packages `configs` and `dd_ranking`, which top_level.txt does not name. `configs` is
# one empty __init__.py and no configuration at all, so that `import configs` succeeds anywhere in the environment and finds
# nothing, in place of a project's own folder of that name that is not first on the path; and uninstalling it removes
# `configs/__init__.py` from whatever other distribution has installed one at the same place.
# For our users: the harness is installed as `ddbench` alone (tests/test_installed.py holds it to that beside a stand-in).
#
# Output seen:
#   top_level.txt: ddranking
#   installed: configs dd_ranking ddranking
#   files in configs: __init__.py (0 bytes)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-compile --target "$work/there" "ddranking==0.2.0" 2> "$work/log" \
    || { cat "$work/log"; exit 1; }
cd "$work"
"$work/venv/bin/python" - "$work/there" <<'PYTHON'
import sys
from pathlib import Path

there = Path(sys.argv[1])
named = (there / "ddranking-0.2.0.dist-info" / "top_level.txt").read_text().split()
installed = sorted(path.name for path in there.iterdir() if path.is_dir() and not path.name.endswith(".dist-info"))
files = sorted(path for path in (there / "configs").rglob("*") if path.is_file())
print("top_level.txt:", *named)
print("installed:", *installed)
print("files in configs:", ", ".join(f"{path.name} ({path.stat().st_size} bytes)" for path in files))
assert named == ["ddranking"], named
assert installed == ["configs", "dd_ranking", "ddranking"], installed
assert [(path.name, path.stat().st_size) for path in files] == [("__init__.py", 0)], files
sys.path.insert(0, str(there))
import configs

assert Path(configs.__file__).parent == there / "configs"
PYTHON
echo "as seen"
