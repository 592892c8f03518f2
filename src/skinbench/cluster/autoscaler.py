"""A cluster file for Ray's own launcher: `ray up FILE`, then `skinbench submit`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any, Literal

import yaml

from skinbench.cluster.deployment import Deployment
from skinbench.errors import UsageError

Provider = Literal["local", "aws", "gcp"]
_HEAD, _WORKER = "head", "worker"
_START = "ray start --head --port=6379 --dashboard-host=127.0.0.1"


def cluster_file(
    deployment: Deployment,
    provider: Provider,
    *,
    hosts: Sequence[str] = (),
    region: str = "",
    machine: str = "",
    project: str = "",
) -> str:
    """The file.

    Args:
        deployment: `nodes` is how far the cluster grows; workers go when they idle.
        provider: `local` for machines that are there, reached by ssh.
        hosts: of `local`, the head first.
        region: of a cloud.
        machine: a cloud's type of machine.
        project: of Google's cloud.

    Raises:
        UsageError: the provider lacks what it needs.
    """
    own = _local(hosts) if provider == "local" else _cloud(deployment, provider, region, machine)
    if provider == "gcp":
        if not project:
            raise UsageError("--project: Google's cloud needs a project")
        own["provider"] |= {"project_id": project}
    install = "pip install 'skinbench[cluster]'"
    stop = "ray stop"
    environment = " ".join(
        f"{key}={shlex.quote(value)}" for key, value in deployment.environment.items()
    )
    scaled = "" if provider == "local" else " --autoscaling-config=~/ray_bootstrap_config.yaml"
    made = {
        "cluster_name": deployment.label,
        "max_workers": max(0, (len(hosts) if provider == "local" else deployment.nodes) - 1),
        "idle_timeout_minutes": 10,
        **own,
        "setup_commands": [install],
        "head_start_ray_commands": [stop, f"{environment} {_START}{scaled}"],
        "worker_start_ray_commands": [stop, f"{environment} ray start --address=$RAY_HEAD_IP:6379"],
    }
    return _how_to(deployment) + yaml.safe_dump(made, sort_keys=False, width=100)


def _how_to(deployment: Deployment) -> str:
    """What to type, as comments."""
    address = "http://127.0.0.1:8265"
    submit = ["skinbench", "submit", str(deployment.suite), "--address", address]
    submit += ["--data", deployment.place("data"), "--weights", deployment.place("weights")]
    submit += ["--store", deployment.place("store")]
    lines = ["ray up THIS FILE; ray dashboard THIS FILE (a tunnel to its job server); then"]
    lines.append(shlex.join(submit))
    folders = [place for place in deployment.folders if place != deployment.place("runs")]
    if folders:
        lines.append(f"On all nodes the same: {', '.join(folders)}.")
    return "".join(f"# {line}\n" for line in lines)


def _local(hosts: Sequence[str]) -> dict[str, Any]:
    if not hosts:
        raise UsageError("--host: name each machine, the head first, or say --provider aws or gcp")
    return {
        "provider": {"type": "local", "head_ip": hosts[0], "worker_ips": list(hosts[1:])},
        "auth": {"ssh_user": "ubuntu"},
    }


def _cloud(deployment: Deployment, provider: Provider, region: str, machine: str) -> dict[str, Any]:
    if not region or not machine:
        raise UsageError(f"--region and --machine: {provider} needs both")
    config = {"InstanceType": machine} if provider == "aws" else {"machineType": machine}
    resources = {"CPU": deployment.cpus, "GPU": deployment.gpus}
    node = {"resources": resources, "node_config": config}
    return {
        "provider": {"type": provider, "region": region}
        | ({"availability_zone": f"{region}-a"} if provider == "gcp" else {}),
        "auth": {"ssh_user": "ubuntu"},
        "available_node_types": {
            _HEAD: dict(node),
            _WORKER: {**node, "min_workers": 0, "max_workers": max(0, deployment.nodes - 1)},
        },
        "head_node_type": _HEAD,
    }
