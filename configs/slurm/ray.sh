#!/bin/bash
# A Ray cluster for one command, on the nodes of one job: the head on the first, workers on the others.
#
#     sbatch --nodes=4 configs/slurm/ray.sh run --config imagenette --store /shared/store
#
# What #SBATCH says here, options of sbatch on the command line replace. BENCH_VENV names a virtual environment to enter.
#SBATCH --job-name=bench-ray
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=4
#SBATCH --exclusive
#SBATCH --time=24:00:00
#SBATCH --output=bench-%j.log
#SBATCH --signal=B:TERM@120
set -euo pipefail

if [ $# -eq 0 ]; then
    echo "usage: sbatch --nodes=4 $0 run --config CONFIG --store STORE ..." >&2
    exit 2
fi
if [ -z "${SLURM_JOB_NODELIST:-}" ]; then
    echo "this is no Slurm job: submit it, sbatch $0 $*" >&2
    exit 2
fi
if [ -n "${BENCH_VENV:-}" ]; then
    if [ ! -r "$BENCH_VENV/bin/activate" ]; then
        echo "BENCH_VENV is $BENCH_VENV, which is no virtual environment on $(hostname): there is no bin/activate in it" >&2
        exit 2
    fi
    # shellcheck disable=SC1091
    source "$BENCH_VENV/bin/activate"
fi
for needed in bench ray; do
    if ! command -v "$needed" >/dev/null; then
        echo "there is no command $needed on $(hostname): set BENCH_VENV to the environment that holds it" >&2
        exit 2
    fi
done

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
# Its first IPv4 address that is not the loopback's; where another network is meant, BENCH_HEAD_IP names it.
addresses=$(srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" hostname --all-ip-addresses)
ip=${BENCH_HEAD_IP:-$(tr ' ' '\n' <<<"$addresses" | grep -v : | head -n 1)}
port=$((20000 + SLURM_JOB_ID % 10000))
cpus=${SLURM_CPUS_PER_TASK:-$(nproc)}
gpus=${SLURM_GPUS_ON_NODE:-0}

# Whoever reaches a cluster can run code on it: a token of this job alone, passed on by the environment of srun.
export RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_TOKEN RAY_USAGE_STATS_ENABLED=0

steps=()
stop() {
    for step in "${steps[@]}"; do
        kill "$step" 2>/dev/null || true
    done
    wait || true
}
trap stop EXIT

srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" \
    ray start --head --node-ip-address="$ip" --port="$port" --num-cpus="$cpus" --num-gpus="$gpus" \
    --temp-dir="/tmp/ray-$SLURM_JOB_ID" --block &
steps+=($!)
tries=150
for try in $(seq "$tries"); do
    # It answers, with exit code 0, also before the head has joined its own cluster: a node must be listed.
    if ray status --address "$ip:$port" 2>/dev/null | grep -q ' node_'; then
        break
    fi
    if [ "$try" -eq "$tries" ] || ! kill -0 "${steps[0]}" 2>/dev/null; then
        echo "the head of Ray did not start on $head ($ip:$port)" >&2
        exit 1
    fi
    sleep "${BENCH_WAIT:-2}"
done
if [ "${#nodes[@]}" -gt 1 ]; then
    others=$(IFS=,; echo "${nodes[*]:1}")
    srun --overlap --nodes=$((${#nodes[@]} - 1)) --ntasks=$((${#nodes[@]} - 1)) --nodelist="$others" \
        ray start --address="$ip:$port" --num-cpus="$cpus" --num-gpus="$gpus" --block &
    steps+=($!)
fi
echo "Ray on ${#nodes[@]} nodes, head $head ($ip:$port); workers are used as they join"

# In the background, so that Slurm's signal reaches this shell at once, which hands it on.
bench "$@" --ray-address "$ip:$port" &
driver=$!
trap 'kill -TERM "$driver" 2>/dev/null || true' TERM
code=0
wait "$driver" || code=$?
while kill -0 "$driver" 2>/dev/null; do # the wait ended with the signal, and bench waits for running stages
    code=0
    wait "$driver" || code=$?
done
exit "$code"
