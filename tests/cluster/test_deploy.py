"""Manifests that other tools take: by KubeRay's schema, Ray's validator, and a real Slurm."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.cli.commands import Shell
from tests.cluster.slurm_site import absent, running
from tests.pipeline.tiny import write_suite

CRD = Path(__file__).parents[3] / "shared" / "schemas" / "kuberay_rayjobs_crd.yaml"
IMAGE = ("--image", "registry.lab/skinbench:1", "--claim", "skin")


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return write_suite(tmp_path, "\nrows:\n  a: {model: baseline_cnn, epochs: 1}\n")


def ray_job(shell: Shell, suite: Path, *words: object) -> tuple[dict[str, Any], dict[str, Any]]:
    done = shell("deploy", suite, "--kuberay", *IMAGE, *words)
    assert done.code == 0, done
    config, job = yaml.safe_load_all(done.out)
    return config, job


# --- Kubernetes -------------------------------------------------------------------------------


def closed(schema: Any) -> Any:
    """A schema that forbids what it does not name, as the server drops unknown fields."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    preserved = schema.get("x-kubernetes-preserve-unknown-fields")
    if "properties" in schema and "additionalProperties" not in schema and not preserved:
        found["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        found.pop("type", None)
    return found


@pytest.fixture(scope="module")
def crd() -> Any:
    """The schema of a RayJob; skipped where it does not lie beside the checkout."""
    if not CRD.is_file():
        pytest.skip(f"{CRD} is not there")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = yaml.load(CRD.read_text("utf-8"), Loader=loader)  # noqa: S506, TID251 - 1.5 MB, a safe one
    (version,) = (item for item in text["spec"]["versions"] if item["name"] == "v1")
    schema = version["schema"]["openAPIV3Schema"]
    schema["properties"]["metadata"] = {"type": "object"}
    return closed(schema)


def problems(job: dict[str, Any], config: dict[str, Any]) -> list[str]:
    """Rules of KubeRay and Kubernetes that the schema does not state."""
    spec = job["spec"]
    cluster = spec.get("rayClusterSpec")
    if not cluster:
        return ["no rayClusterSpec"]
    found = []
    if spec.get("submissionMode") not in ("K8sJobMode", "HTTPMode", "SidecarMode"):
        found.append("submissionMode")
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,45}[a-z0-9])?", job["metadata"]["name"]):
        found.append("name: a DNS label of at most 47 characters")
    if spec.get("ttlSecondsAfterFinished") and not spec.get("shutdownAfterJobFinishes"):
        found.append("ttlSecondsAfterFinished needs shutdownAfterJobFinishes")
    for group in [cluster["headGroupSpec"], *cluster.get("workerGroupSpecs", [])]:
        if not all(isinstance(value, str) for value in group["rayStartParams"].values()):
            found.append("rayStartParams are text")
        least, most = group.get("minReplicas", 0), group.get("maxReplicas", 0)
        if not least <= group.get("replicas", 0) <= most:
            found.append("replicas outside their range")
        found += pod_problems(group["template"]["spec"], config)
    return found


def pod_problems(pod: dict[str, Any], config: dict[str, Any]) -> list[str]:
    found = []
    volumes = {item["name"] for item in pod.get("volumes", [])}
    for container in pod["containers"]:
        if {item["name"] for item in container.get("volumeMounts", [])} - volumes:
            found.append("a mount without a volume")
        limits, requests = container["resources"]["limits"], container["resources"]["requests"]
        if limits.get("nvidia.com/gpu") != requests.get("nvidia.com/gpu"):
            found.append("GPUs asked for are GPUs limited to")
    maps = {item["configMap"]["name"] for item in pod["volumes"] if "configMap" in item}
    if maps - {config["metadata"]["name"]}:
        found.append("a ConfigMap that is not there")
    return found


@pytest.mark.real
@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--nodes", 3, "--gpus", 2, "--cpus", 8, "--memory", 64, "--set", "defaults.epochs=2"),
        ("--store", "s3://lab/skin", "--secret", "aws"),
    ],
)
def test_a_ray_job_is_valid_by_kuberays_schema(
    crd: Any, shell: Shell, suite: Path, words: tuple[object, ...]
) -> None:
    config, job = ray_job(shell, suite, *words)
    jsonschema.Draft7Validator(crd).validate(job)
    assert problems(job, config) == []
    for path, wrong in (
        (("spec", "entrypont"), "x"),
        (("spec", "rayClusterSpec", "headGroupSpec", "rayStartParams", "num-cpus"), 4),
        (("spec", "rayClusterSpec", "headGroupSpec", "template", "spec", "containrs"), []),
        (("spec", "backoffLimit"), "two"),
    ):
        place = bad = yaml.safe_load(yaml.safe_dump(job))
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = wrong
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft7Validator(crd).validate(bad)


def test_a_ray_job_carries_the_suite_and_what_it_asks_for(shell: Shell, suite: Path) -> None:
    config, job = ray_job(shell, suite, "--nodes", 3, "--gpus", 2, "--set", "defaults.epochs=2")
    assert config["data"]["suite.yaml"] == suite.read_text()
    assert problems(job, config) == []
    spec = job["spec"]
    assert spec["entrypoint"] == (
        "python -m skinbench run /suite/suite.yaml --address auto --out /shared/runs/tiny "
        "--set defaults.epochs=2"
    )
    (workers,) = spec["rayClusterSpec"]["workerGroupSpecs"]
    assert workers["replicas"] == 2
    (container,) = workers["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert {"name": "SKINBENCH_STORE", "value": "/shared/store"} in container["env"]
    assert spec["rayClusterSpec"]["authOptions"] == {"mode": "token"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--kuberay",), "--image: Kubernetes needs an image"),
        (("--kuberay", "--image", "x"), "--claim: Kubernetes needs a volume claim"),
        (("--ray-cluster",), "--host: name each machine"),
        (("--ray-cluster", "--provider", "aws"), "--region and --machine: aws needs both"),
        ((), "say for what: --kuberay, --slurm or --ray-cluster"),
    ],
)
def test_what_is_missing_is_said(
    shell: Shell, suite: Path, words: tuple[str, ...], why: str
) -> None:
    assert why in shell.error("deploy", suite, *words)


BUCKET = "s3://lab/skin"
ASKED = "?endpoint_override=minio:9000&scheme=http"


def test_a_ray_job_whose_places_are_urls_mounts_no_claim(shell: Shell, suite: Path) -> None:
    words = ("--image", "x", "--shared", f"{BUCKET}/{ASKED}", "--secret", "aws-keys")
    done = shell("deploy", suite, "--kuberay", *words)
    assert done.code == 0, done
    config, job = yaml.safe_load_all(done.out)
    assert problems(job, config) == []
    assert f"--out '{BUCKET}/runs/tiny{ASKED}'" in job["spec"]["entrypoint"]
    pod = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    assert {item["name"] for item in pod["volumes"]} == {"suite", "shm", "copies"}
    (container,) = pod["containers"]
    assert {"name": "SKINBENCH_STORE", "value": f"{BUCKET}/store{ASKED}"} in container["env"]
    assert {"name": "SKINBENCH_STORE_CACHE", "value": "/copies"} in container["env"]
    assert container["envFrom"] == [{"secretRef": {"name": "aws-keys"}}]


def test_a_store_at_a_url_beside_data_on_a_claim(shell: Shell, suite: Path) -> None:
    _, job = ray_job(shell, suite, "--store", "gs://lab/store/", "--copies", "/local")
    pod = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    assert {item["name"] for item in pod["volumes"]} == {"suite", "shm", "shared", "copies"}
    env = {item["name"]: item["value"] for item in pod["containers"][0]["env"]}
    assert env["SKINBENCH_DATA"] == "/shared/data"
    assert env["SKINBENCH_STORE"] == "gs://lab/store"
    assert env["SKINBENCH_STORE_CACHE"] == "/local"


def test_urls_are_quoted_for_the_shell_of_slurm_and_of_rays_launcher(
    shell: Shell, suite: Path
) -> None:
    words = ("--shared", BUCKET + ASKED, "--data", "/nfs/data", "--copies", "/local/me")
    script = shell("deploy", suite, "--slurm", *words).out
    assert f"export SKINBENCH_STORE='{BUCKET}/store{ASKED}'\n" in script
    assert "export SKINBENCH_DATA=/nfs/data\n" in script
    assert "export SKINBENCH_STORE_CACHE=/local/me\n" in script
    assert f"--out '{BUCKET}/runs/tiny{ASKED}'" in script
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)

    text = shell("deploy", suite, "--ray-cluster", "--host", "a", *words).out
    (start,) = yaml.safe_load(text)["head_start_ray_commands"][1:]
    assert f"SKINBENCH_STORE='{BUCKET}/store{ASKED}' " in start
    assert f"--data /nfs/data --weights '{BUCKET}/weights{ASKED}'" in text
    assert "# On all nodes the same: /nfs/data.\n" in text


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--shared", "s3://key:secret@lab/skin"), "has a name or password in it"),
        (("--store", "s3://lab/skin?access_key=x"), "says 'access_key'"),
        (("--store", "/elsewhere/store"), "/elsewhere/store is not in /shared, where the claim"),
        (("--shared", BUCKET), "every place is a URL; there is nothing to mount"),
    ],
)
def test_a_place_that_no_pod_can_use_is_refused(
    shell: Shell, suite: Path, words: tuple[str, ...], why: str
) -> None:
    said = shell.error("deploy", suite, "--kuberay", *IMAGE, *words)
    assert why in said
    assert "secret" not in said.replace("AWS_SECRET_ACCESS_KEY", "")


def test_a_suite_that_needs_its_folder_is_no_ray_job(shell: Shell, suite: Path) -> None:
    (suite.parent / "p.py").write_text('KIND = "techniques"\n')
    suite.write_text(suite.read_text() + "plugins: [p.py]\n")
    said = shell.error("deploy", suite, "--kuberay", *IMAGE)
    assert "plugins: a RayJob carries the suite alone, not p.py" in said


# --- Ray's launcher -----------------------------------------------------------------------------

CLOUD = ("--region", "eu-1", "--machine", "big.8")


@pytest.mark.parametrize(
    ("words", "workers"),
    [
        (("--host", "10.0.0.1", "--host", "10.0.0.2"), 1),
        (("--provider", "aws", *CLOUD, "--nodes", 4, "--gpus", 1), 3),
        (("--provider", "gcp", *CLOUD, "--project", "p", "--nodes", 2), 1),
    ],
)
def test_a_cluster_file_is_valid_by_rays_validator(
    shell: Shell, suite: Path, words: tuple[object, ...], workers: int
) -> None:
    util = pytest.importorskip("ray.autoscaler._private.util", reason="ray is not installed")
    done = shell("deploy", suite, "--ray-cluster", *words)
    assert done.code == 0, done
    made = yaml.safe_load(done.out)
    prepared = util.prepare_config(made)
    util.validate_config(prepared)  # as `ray up` does
    assert prepared["max_workers"] == workers
    with pytest.raises(jsonschema.ValidationError):
        util.validate_config({**prepared, "max_wrokers": 1})


# --- Slurm -----------------------------------------------------------------------------------


def test_a_batch_script_is_bash_and_asks_for_what_it_is_told(
    shell: Shell, suite: Path, tmp_path: Path
) -> None:
    path = tmp_path / "job.sh"
    words = ("--nodes", 2, "--gpus", 3, "--cpus", 8, "--minutes", 90, "--partition", "a b")
    done = shell("deploy", suite, "--slurm", *words, "--set", "name=x; rm -rf /", "--out", path)
    assert done.code == 2, "no name for a suite"
    done = shell("deploy", suite, "--slurm", *words, "--set", "description='$(x)'", "--out", path)
    assert done.code == 0, done
    subprocess.run(["bash", "-n", str(path)], check=True)
    text = path.read_text()
    for line in ("--nodes=2", "--gpus-per-node=3", "--cpus-per-task=8", "--time=90"):
        assert f"#SBATCH {line}\n" in text
    assert "--set 'description='\"'\"'$(x)'\"'\"''" in text, "quoted for the shell"


@pytest.mark.ray
@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.skipif(bool(absent()), reason=absent() or "there is one")
@pytest.mark.skipif(
    "SKINBENCH_SLURM" not in os.environ, reason="by `make prove`, or SKINBENCH_SLURM=1"
)
def test_a_batch_script_runs_a_suite_to_its_end_on_a_real_slurm(tmp_path: Path) -> None:
    """Cancelled, and over its time limit: tests/prove/slurm.py."""
    from tests.prove.slurm import to_its_end

    with running(tmp_path, os.environ) as site:
        assert to_its_end(site)
