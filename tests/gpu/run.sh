#!/usr/bin/env bash
# Tests and times instyle on a GPU. Needs no network; the machine's packages stay as they are.
#
#     tests/gpu/run.sh WHEELS OUT
#
# What the machine lacks is installed from WHEELS, which wheels.sh made, into a folder that is
# removed in the end. Every step is taken, whatever became of those before it, in a process and with
# a time limit of its own; they add up to less than six minutes. OUT gets the log, a JUnit file for
# each file of tests, and bench.json.
#
# PYTHON is the machine's Python. INSTYLE_GPU_TESTS_DEVICE=cpu tries what can be tried on a processor,
# in ten times the time.
set -uo pipefail

if (($# != 2)); then
  echo "usage: tests/gpu/run.sh WHEELS OUT" >&2
  exit 2
fi
mkdir -p "$2"
wheels=$(realpath "$1") out=$(realpath "$2")
export wheels out python="${PYTHON:-python3}" device="${INSTYLE_GPU_TESTS_DEVICE:-cuda}"
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PYTHONPATH=$scratch/site INSTYLE_CACHE=$scratch/cache PYTHONUNBUFFERED=1

install() {
  local lacking
  mapfile -t lacking < <("$python" - "$wheels" <<'PYTHON'
import importlib.metadata, pathlib, sys

for wheel in sorted(pathlib.Path(sys.argv[1]).glob("*.whl")):
    try:
        name = wheel.name.split("-")[0]
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found = ""
    if name == "instyle" or not found:
        print(wheel)
PYTHON
  )
  "$python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps \
    --target "$PYTHONPATH" "${lacking[@]}" || return
  printf 'installed: %s\n' "${lacking[@]##*/}"
  "$python" -P -c '
import instyle_core, platform, torch, torchvision, transformers
print("Python", platform.python_version(), "instyle of", instyle_core.__file__)
print(*(f"{m.__name__} {m.__version__}" for m in (torch, torchvision, transformers)))
print(torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU")' || return
  ! "$python" -m pip check | grep '^instyle '  # what neither the machine nor WHEELS has
}

tests() {
  local marks=gpu
  [[ $device == cpu ]] && marks="gpu and not cuda"
  # -P: instyle is what was installed, not what lies here.
  "$python" -P -m pytest "tests/gpu/test_$1.py" -v -m "$marks" --confcutdir=tests/gpu \
    -p no:cacheprovider -o faulthandler_timeout=60 --durations=5 --junitxml="$out/$1.xml"
  local status=$?
  [[ $device == cpu && $status == 5 ]] && return 0  # nothing there that a processor can try
  return $status
}

bench() {
  local options=()
  [[ $device == cpu ]] && options=(--device cpu --sizes 64,96 --steps 4)
  "$python" tests/benchmarks/bench_gpu.py --json "$out/bench.json" "${options[@]}"
}
export -f install tests bench

summary=() failed=0
step() { # SECONDS COMMAND...
  local limit=$1 began=$SECONDS status
  shift
  [[ $device == cpu ]] && limit=$((10 * limit))
  echo "== $*"
  timeout --kill-after=5 "$limit" bash -c '"$@"' step "$@"
  status=$?
  ((status == 0)) || failed=1
  case $status in
    0) status=passed ;;
    124 | 137) status="out of time" ;;
    *) status="failed with status $status" ;;
  esac
  summary+=("$(printf '%-20s %-22s %3d of %3d s' "$*" "$status" $((SECONDS - began)) "$limit")")
}

main() {
  step 40 install
  step 40 tests objective
  step 55 tests cuda_graph
  step 40 tests scale_memory
  step 70 tests pipeline
  step 35 tests resume
  step 70 bench
  printf '%s\n' "== summary" "${summary[@]}"
  return $failed
}
main 2>&1 | tee "$out/run.log"
