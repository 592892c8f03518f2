"""A RayJob for KubeRay: a cluster that runs one suite and goes, and the suite as a ConfigMap."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import yaml

from skinbench.cluster.deployment import PLACES, Deployment, need
from skinbench.errors import UsageError

_SUITE, _COPIES = "/suite/suite.yaml", "/copies"
_MOST = 1_000_000
"""Bytes of a ConfigMap, about; the suite must fit into one."""


def ray_job(deployment: Deployment, ray_version: str) -> str:
    """The manifest, two YAML documents.

    Args:
        deployment: with `image`, and `claim` where any place is a folder.
        ray_version: of the image, e.g. `2.60.0`.

    Raises:
        UsageError: image or claim is not given, or the suite is too large.
    """
    need(deployment.image, "--image", "Kubernetes needs an image that holds skinbench[cluster]")
    if deployment.folders:
        why = "Kubernetes needs a volume claim that all pods can mount, or URLs for all places"
        need(deployment.claim, "--claim", why)
        _check_mounted(deployment)
    elif deployment.claim:
        raise UsageError("--claim: every place is a URL; there is nothing to mount")
    if len(deployment.folders) < len(PLACES) and not deployment.copies:
        deployment = replace(deployment, copies=_COPIES)
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


def _check_mounted(deployment: Deployment) -> None:
    """The claim is mounted at `shared`; folders elsewhere are in no pod."""
    for folder in deployment.folders:
        if not f"{folder}/".startswith(f"{deployment.shared}/"):
            raise UsageError(
                f"{folder} is not in {deployment.shared}, where the claim is mounted; "
                f"name a folder below it, or a URL"
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
    volumes: dict[str, tuple[dict[str, Any], str]] = {
        "suite": ({"configMap": {"name": deployment.label}}, "/suite"),
        # Ray's object store; Kubernetes gives a container 64 MB otherwise.
        "shm": (
            {"emptyDir": {"medium": "Memory", "sizeLimit": f"{max(1, deployment.memory // 4)}Gi"}},
            "/dev/shm",
        ),
    }
    if deployment.claim:
        claim = {"persistentVolumeClaim": {"claimName": deployment.claim}}
        volumes["shared"] = (claim, deployment.shared)
    if deployment.copies:
        volumes["copies"] = ({"emptyDir": {}}, deployment.copies)
    keys = [{"secretRef": {"name": deployment.secret}}] if deployment.secret else []
    container = {
        "name": name,
        "image": deployment.image,
        "env": [{"name": key, "value": value} for key, value in deployment.environment.items()],
        **({"envFrom": keys} if keys else {}),
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
