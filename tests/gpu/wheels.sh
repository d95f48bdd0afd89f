#!/usr/bin/env bash
# Gathers the wheels that a machine with a GPU lacks, for run.sh, which needs no network.
#
#     tests/gpu/wheels.sh FOLDER [PYTHON_VERSION]
#
# The machine is x86-64 Linux with this version of Python (by default, the one here), pip, and what
# HAS names with all that those need. OpenCV, SciPy and scikit-image are 110 MB, and not gathered
# by default; for a machine without them:
#
#     HAS="torch torchvision transformers numpy pillow" tests/gpu/wheels.sh FOLDER
set -euo pipefail

folder=$(realpath -m "${1:?usage: tests/gpu/wheels.sh FOLDER [PYTHON_VERSION]}")
python=${PYTHON:-python3}
version=${2:-$("$python" -c 'import platform; print(platform.python_version())')}
has=${HAS:-torch torchvision transformers numpy pillow opencv-python-headless scipy scikit-image}
most_mb=60

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$folder"
rm -f "$folder"/*.whl

# pip matches the platforms of another machine literally.
target=(--only-binary=:all: --implementation cp --python-version "$version")
for glibc in 5 12 17 24 26 27 28 31 34; do target+=(--platform "manylinux_2_${glibc}_x86_64"); done
target+=(--platform manylinux2014_x86_64 --platform manylinux1_x86_64)

"$python" -m pip wheel --no-deps --wheel-dir "$folder" .
"$python" -m pip install --dry-run --ignore-installed --target "$scratch" "${target[@]}" \
  --report "$scratch/report.json" "$(echo "$folder"/instyle-*.whl)[depth]" pytest

# All that instyle and pytest need, but for what the machine has and what is needed by that alone.
mapfile -t lacking < <("$python" - "$scratch/report.json" "$has" <<'PYTHON'
import json, re, sys

def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()

def names(requirements):
    return [canonical(re.match(r"[\w.-]+", text)[0]) for text in requirements]

with open(sys.argv[1]) as report:
    metadata = [item["metadata"] for item in json.load(report)["install"]]
resolved = {canonical(item["name"]): item for item in metadata}
met = {*map(canonical, sys.argv[2].split())}
todo = ["instyle", "pytest"]
while todo:
    name = todo.pop()
    if name in met or name not in resolved:
        continue
    met.add(name)
    if name != "instyle":
        print(f"{name}=={resolved[name]['version']}")
    requirements = resolved[name].get("requires_dist", [])
    todo += names(text for text in requirements if "extra ==" not in text)
PYTHON
)
"$python" -m pip download --no-deps --dest "$folder" "${target[@]}" "${lacking[@]}"

(cd "$folder" && du --apparent-size --block-size=kB -- *.whl | sort -n)
kilobytes=$(cat "$folder"/*.whl | wc -c | awk '{ print int($1 / 1000) }')
echo "$kilobytes kB for Python $version, which has: $has"
if ((kilobytes > 1000 * most_mb)); then
  echo "more than $most_mb MB: name more that the machine has in HAS" >&2
  exit 1
fi
