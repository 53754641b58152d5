#!/usr/bin/env bash
# The harness beside ddranking 0.2.0, the field's evaluator, whose wheel owns a top-level package `configs`: a study runs
# in either kind of install, and uninstalling one of the two leaves the other whole. No part of the test suite.
#
#   tests/installed/ddranking.sh            everything from the package index: downloads torch, some gigabytes
#   tests/installed/ddranking.sh FOLDER     libraries from FOLDER, an environment's site-packages that holds those of
#                                           constraints.txt; downloads ddranking and setuptools alone
#
# ddranking comes without its dependencies: it asks for numpy<2 and scipy<1.16, the harness for numpy>=2.0.
set -euo pipefail
cd "$(dirname "$0")/../.."
libraries=${1:+$(realpath "$1")}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/copy"
git ls-files -z | xargs -0 cp --parents -t "$work/copy"  # building leaves folders beside the sources

name=dataset-distillation-bench
study=(run --config smoke --methods "random,herding" --executor inline --store "$work/store")

# Every file of a distribution is there with the content that was installed.
cat > "$work/whole.py" <<'PYTHON'
import base64, hashlib, sys
from importlib.metadata import files
checked = [file for file in files(sys.argv[1]) if file.hash]
for file in checked:
    digest = hashlib.new(file.hash.mode, file.locate().read_bytes()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == file.hash.value, file
print(f"{sys.argv[1]}: {len(checked)} files, all as installed")
PYTHON

for kind in wheel editable; do
    echo "== $kind"
    python3 -m venv "$work/$kind"
    python="$work/$kind/bin/python" bench="$work/$kind/bin/bench"
    pip=("$python" -m pip --disable-pip-version-check)
    target=("$work/copy")
    [ "$kind" = editable ] && target=(--editable "$work/copy")
    options=(--constraint constraints.txt)
    if [ -n "$libraries" ]; then
        "$python" -c 'import site, sys; open(site.getsitepackages()[0] + "/libraries.pth", "w").write(sys.argv[1] + "\n")' \
            "$libraries"
        options=(--no-deps)
    fi
    "${pip[@]}" install --quiet "${options[@]}" "${target[@]}"
    "${pip[@]}" install --quiet --no-deps ddranking==0.2.0
    cd "$work"  # from here on no folder of the checkout can be imported
    "$python" -c 'import configs, ddbench; print("configs:", configs.__file__); print("ddbench:", ddbench.__file__)'

    echo "-- both installed"
    rm -rf "$work/store"
    "$bench" "${study[@]}" 2> /dev/null
    echo "-- ddranking uninstalled"
    "${pip[@]}" uninstall --quiet --yes ddranking
    "$python" "$work/whole.py" "$name"
    rm -rf "$work/store"
    "$bench" "${study[@]}" 2> /dev/null
    echo "-- ddranking installed again, the harness uninstalled"
    "${pip[@]}" install --quiet --no-deps ddranking==0.2.0
    "${pip[@]}" uninstall --quiet --yes "$name"
    "$python" "$work/whole.py" ddranking
    "$python" -c 'import configs; print("configs:", configs.__file__)'
    ! "$python" -c 'import ddbench' 2> /dev/null
    cd - > /dev/null
done
echo "each works beside the other and without it, in a wheel and an editable install"
