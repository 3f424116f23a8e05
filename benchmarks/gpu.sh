#!/bin/sh
# What a GPU shows in ten minutes: parity, resume, layouts and norms, compile, batches, determinism, share of peak, all-reduce.
#
#     benchmarks/gpu.sh                       on the GPU, in the environment with viceversa
#     DEVICE=cpu TINY=1 benchmarks/gpu.sh     the script itself, on a CPU, in two minutes
set -eu
here=$(dirname "$0")
python=${PYTHON:-python}
set -- --device "${DEVICE:-cuda}" ${TINY:+--tiny}
"$python" "$here/gpu.py" "$@"
# Two processes: on as many GPUs as there are, else through gloo.
processes=$("$python" -c 'import sys, torch; print(max(2, torch.cuda.device_count()) if sys.argv[1] == "cpu" else torch.cuda.device_count())' "${DEVICE:-cuda}")
if [ "$processes" -gt 1 ]; then
    "$python" -m torch.distributed.run --standalone --nproc-per-node "$processes" "$here/gpu.py" "$@" --only all-reduce
else
    echo "all-reduce: one GPU only, nothing to measure"
fi
