"""A RayJob for KubeRay: a cluster that runs one suite and goes, and the suite as a ConfigMap."""

from __future__ import annotations

from typing import Any

import yaml

from skinbench.cluster.deployment import Deployment, need
from skinbench.errors import UsageError

_SUITE = "/suite/suite.yaml"
_MOST = 1_000_000
"""Bytes of a ConfigMap, about; the suite must fit into one."""


def ray_job(deployment: Deployment, ray_version: str) -> str:
    """The manifest, two YAML documents.

    Args:
        deployment: with `image` and `claim`.
        ray_version: of the image, e.g. `2.60.0`.

    Raises:
        UsageError: image or claim is not given, or the suite is too large.
    """
    need(deployment.image, "--image", "Kubernetes needs an image that holds skinbench[cluster]")
    need(deployment.claim, "--claim", "Kubernetes needs a volume claim that all pods can mount")
    text = deployment.suite.read_text("utf-8")
    if len(text.encode()) > _MOST:
        raise UsageError(f"{deployment.suite}: larger than a ConfigMap may be")
    suite = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": deployment.label},
        "data": {"suite.yaml": text},
    }
    job = {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {"name": deployment.label},
        "spec": {
            "entrypoint": deployment.command(_SUITE, "auto"),
            "submissionMode": "K8sJobMode",
            "shutdownAfterJobFinishes": True,
            "ttlSecondsAfterFinished": 600,
            "activeDeadlineSeconds": deployment.minutes * 60,
            # A lost head is tried again: what is trained is in the store.
            "backoffLimit": 2,
            "rayClusterSpec": _cluster(deployment, ray_version),
        },
    }
    documents = yaml.safe_dump_all([suite, job], sort_keys=False, width=100)
    return (
        f"# kubectl apply -f this file; follow: kubectl logs -f job/{deployment.label}\n{documents}"
    )


def _cluster(deployment: Deployment, ray_version: str) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "rayVersion": ray_version,
        "authOptions": {"mode": "token"},
        "headGroupSpec": {
            "rayStartParams": {"num-cpus": str(deployment.cpus)},
            "template": _pod(deployment, "ray-head"),
        },
    }
    if deployment.nodes > 1:
        workers = deployment.nodes - 1
        spec["workerGroupSpecs"] = [
            {
                "groupName": "workers",
                "replicas": workers,
                "minReplicas": workers,
                "maxReplicas": workers,
                "rayStartParams": {"num-cpus": str(deployment.cpus)},
                "template": _pod(deployment, "ray-worker"),
            }
        ]
    return spec


def _pod(deployment: Deployment, name: str) -> dict[str, Any]:
    amount: dict[str, str] = {"cpu": str(deployment.cpus), "memory": f"{deployment.memory}Gi"}
    if deployment.gpus:
        amount["nvidia.com/gpu"] = str(deployment.gpus)
    volumes = {
        "shared": ({"persistentVolumeClaim": {"claimName": deployment.claim}}, deployment.shared),
        "suite": ({"configMap": {"name": deployment.label}}, "/suite"),
        # Ray's object store; Kubernetes gives a container 64 MB otherwise.
        "shm": (
            {"emptyDir": {"medium": "Memory", "sizeLimit": f"{max(1, deployment.memory // 4)}Gi"}},
            "/dev/shm",
        ),
    }
    container = {
        "name": name,
        "image": deployment.image,
        "env": [{"name": key, "value": value} for key, value in deployment.environment.items()],
        "resources": {"limits": dict(amount), "requests": dict(amount)},
        "securityContext": {"allowPrivilegeEscalation": False},
        "volumeMounts": [{"name": key, "mountPath": place} for key, (_, place) in volumes.items()],
    }
    return {
        "spec": {
            "containers": [container],
            "volumes": [{"name": key, **source} for key, (source, _) in volumes.items()],
        }
    }
