#!/bin/bash
# A Slurm job whose tasks get tokens for as long as it runs: sbatch slurm.sh      (run with Slurm 22.05, Debian 12)
#SBATCH --job-name=train
#SBATCH --ntasks=2
#SBATCH --time=3-00:00:00
set -euo pipefail
: "${API:?the address that the tasks fetch from}"
export JETON_PROFILE=${JETON_PROFILE:-research}

# `jetond run -- CMD` runs a daemon for the life of a command, as `ssh-agent CMD` does. Each task has its own daemon,
# since the tasks may run on several nodes. The daemon reads the credential from the user's state folder, which the
# nodes share.
srun --kill-on-bad-exit jetond run -- python train.py "$API"
