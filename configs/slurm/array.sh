#!/bin/bash
# A job array on one shared store: every task runs the same command, and the tasks share its stages by leases.
#
#     sbatch --array=0-7 configs/slurm/array.sh run --config imagenette --store /shared/store
#
# What #SBATCH says here, options of sbatch on the command line replace. BENCH_VENV names a virtual environment to enter.
#SBATCH --job-name=bench
#SBATCH --array=0-3
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --gres=gpu:1
#SBATCH --mem=32G
#SBATCH --time=24:00:00
#SBATCH --output=bench-%A_%a.log
# Two minutes before the limit bench starts no further stage; what runs may finish. The same command resumes.
#SBATCH --signal=B:TERM@120
set -euo pipefail

if [ $# -eq 0 ]; then
    echo "usage: sbatch --array=0-7 $0 run --config CONFIG --store STORE ..." >&2
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
if ! command -v bench >/dev/null; then
    echo "there is no command bench on $(hostname): set BENCH_VENV to the environment that holds it" >&2
    exit 2
fi
echo "task ${SLURM_ARRAY_TASK_ID:-0} of ${SLURM_ARRAY_TASK_COUNT:-1}, job ${SLURM_ARRAY_JOB_ID:-${SLURM_JOB_ID:-none}}, on $(hostname)"

# One stage at a time, in this process; exec, so that Slurm's signal reaches it.
exec bench "$@" --executor inline
