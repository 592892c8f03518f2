"""A batch script that starts Ray across a Slurm allocation and runs a suite to its end.

Shortly before the time limit Slurm sends SIGUSR1: the run stops cleanly and the script submits
itself again, as often as it must; the store holds what is trained. `scancel` ends it for good.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from skinbench.cluster.deployment import Deployment

ROUNDS = 50
"""Times that a script submits itself again before it gives up."""


def batch_script(
    deployment: Deployment, *, partition: str = "", python: str = "python", warning: int = 120
) -> str:
    """The script, for `sbatch`.

    Args:
        deployment: each place is on a file system of all nodes, or a URL, whose keys Slurm
            hands on from the shell in which `sbatch` is typed.
        partition: where to queue; empty for the cluster's default.
        python: the interpreter that has skinbench, as all nodes see it.
        warning: seconds before the time limit at which the run stops to be continued.
    """
    suite = shlex.quote(str(Path(deployment.suite).resolve()))
    command = deployment.command(suite, '"$address"').replace("python", shlex.quote(python), 1)
    exports = "\n".join(
        f"export {name}={shlex.quote(value)}" for name, value in deployment.environment.items()
    )
    asked = [
        f"--job-name={deployment.label}",
        f"--nodes={deployment.nodes}",
        "--ntasks-per-node=1",
        f"--cpus-per-task={deployment.cpus}",
        f"--mem={deployment.memory}G",
        f"--time={deployment.minutes}",
        f"--signal=B:USR1@{warning}",
        f"--output={deployment.label}-%j.log",
    ]
    asked += [f"--gpus-per-node={deployment.gpus}"] if deployment.gpus else []
    asked += [f"--partition={partition}"] if partition else []
    head = "\n".join(f"#SBATCH {word}" for word in asked)
    return _SCRIPT.format(
        head=head,
        exports=exports,
        python=shlex.quote(python),
        command=command,
        gpus=deployment.gpus,
        rounds=ROUNDS,
    )


_SCRIPT = """#!/bin/bash
{head}
# sbatch THIS FILE; stop it for good: scancel JOB
set -u
{exports}
export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"
round="${{SKINBENCH_ROUND:-1}}"

# Others of this cluster reach these ports: a token of this job alone closes them.
export RAY_AUTH_MODE=token
RAY_AUTH_TOKEN="$({python} -c 'import secrets; print(secrets.token_hex(32))')"
export RAY_AUTH_TOKEN
# Outside the ports that Ray gives to workers (10002 to 19999), another for each job of a node.
port=$((6400 + SLURM_JOB_ID % 1000))
ip="$(hostname --ip-address)"
address="${{ip%% *}}:$port"
ray=({python} -m ray.scripts.scripts start --block --disable-usage-stats \\
  --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus={gpus})

run="" ended=""
stop() {{
  ended="$1"
  if [ -n "$run" ]; then kill -TERM "$run" 2>/dev/null; fi
}}
trap 'stop limit' USR1
trap 'stop cancelled' TERM INT

fail() {{ echo "skinbench: $1" >&2; kill $(jobs -p) 2>/dev/null; wait; exit 1; }}

# Ray gives up after 30 s, which a slow file system can take.
try_to() {{ for try in 1 2 3 4 5; do "$@" && break; sleep 2; done; }}
export -f try_to
srun --nodes=1 --ntasks=1 --nodelist="$SLURMD_NODENAME" bash -c 'try_to "$@"' head \
  "${{ray[@]}}" --head --node-ip-address="${{ip%% *}}" --port="$port" \
  --include-dashboard=false > /dev/null &
head=$!
if [ "$SLURM_NNODES" -gt 1 ]; then
  workers=$((SLURM_NNODES - 1))
  srun --nodes="$workers" --ntasks="$workers" --exclude="$SLURMD_NODENAME" \
    bash -c 'try_to "$@"' worker "${{ray[@]}}" --address="$address" > /dev/null &
fi

# A node counts once Ray knows it, which takes longer than its first answer.
{python} - "$address" "$SLURM_NNODES" <<'WAIT' &
import logging, sys, time
import ray
logging.disable(logging.CRITICAL)
end = time.monotonic() + 300
while time.monotonic() < end:
    try:
        ray.init(address=sys.argv[1], log_to_driver=False, ignore_reinit_error=True)
        if sum(node["Alive"] for node in ray.nodes()) >= int(sys.argv[2]):
            sys.exit(0)
    except (ConnectionError, RuntimeError, ValueError, OSError):
        pass
    time.sleep(1)
sys.exit("not all nodes joined within five minutes")
WAIT
waiting=$!
while kill -0 "$waiting" 2> /dev/null && [ -z "$ended" ]; do
  kill -0 "$head" 2> /dev/null || fail "Ray did not start at $address"
  sleep 0.5
done
if [ -z "$ended" ]; then wait "$waiting" || fail "Ray did not answer at $address"; fi

code=130
if [ -z "$ended" ]; then
  {command} &
  run=$!
  while :; do
    wait "$run"
    code=$?
    kill -0 "$run" 2> /dev/null || break  # a signal ends `wait`, not the run
  done
fi

if [ "$ended" = limit ] && [ "$code" -eq 130 ]; then
  if [ "$round" -ge {rounds} ]; then fail "still not done after $round rounds"; fi
  echo "skinbench: the time limit is near; round $((round + 1)) continues"
  SKINBENCH_ROUND=$((round + 1)) sbatch --export=ALL --dependency="afterany:$SLURM_JOB_ID" "$0"
fi
kill $(jobs -p) 2> /dev/null
wait
exit "$code"
"""
