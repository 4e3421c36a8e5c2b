#!/usr/bin/env bash
# A sweep on a Slurm allocation: Ray on all its nodes, the driver beside the head, and all end with the sweep.
#   sbatch deploy/slurm.sh sweep.yaml storage=/shared/store
# Adapt the lines of #SBATCH; the environment (.venv) has to lie on a file system that all nodes share. The same command again
# goes on from what the store has. Written from the manuals of Slurm and Ray; we have not run it on a Slurm machine yet.
#SBATCH --job-name=orchard
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-task=4
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120  # two minutes before the time is up
set -euo pipefail

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(getent ahostsv4 "$head" | awk 'NR == 1 { print $1 }')
port=$((20000 + SLURM_JOB_ID % 20000)) # two jobs may share a machine

# Whoever can reach a head without a token can run programs on it: docs/security.md.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN
RAY_AUTH_TOKEN=$(python3 -c "import secrets; print(secrets.token_hex(32))")

srun --kill-on-bad-exit .venv/bin/ray symmetric-run --address "$address:$port" --min-nodes "$SLURM_JOB_NUM_NODES" \
    --num-cpus "$SLURM_CPUS_PER_TASK" -- .venv/bin/orchard run "$@" --backend ray
