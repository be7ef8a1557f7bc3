"""The manifests are valid, and fit the image and the application. Each test of a property notices when it is broken."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.new import ROOT
from tests.conftest import Render, run

GUIDE = (ROOT / "docs/kubernetes.md").read_text("utf-8")
OVERLAYS = ["staging", "production"]
VERSIONS = ["1.35", "1.36", "1.37"]
# uvicorn reads this, not our settings.
OF_UVICORN = {"FORWARDED_ALLOW_IPS"}
# Of the 100 that PostgreSQL has by default, three are for superusers.
CONNECTIONS = 97
DESCRIBE = """
import json
from pydantic import SecretStr
from app.core.config import Settings
from app.main import create_app
fields = Settings.model_fields
settings = Settings(ENVIRONMENT="production")
print(json.dumps({
    "settings": list(fields),
    "secrets": [name for name, field in fields.items() if "SecretStr" in str(field.annotation)],
    "defaults": settings.model_dump(mode="json"),
    "paths": list(create_app(settings).openapi()["paths"]),
}))
"""
# These settings are required in production.
SAFE = {
    "DATABASE_URL": "postgresql://app@database/app",
    "CACHE_URL": "redis://cache:6379/0",
    "JWT_SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz",
    "METRICS_TOKEN": "zyxwvutsrqponmlkjihgfedcba9876543210",
}

Document = dict[str, Any]


def kustomize() -> list[str]:
    """Returns the command that builds an overlay."""
    for command in (["kustomize", "build"], ["kubectl", "kustomize"]):
        if shutil.which(command[0]):
            return command
    pytest.skip("there is neither kustomize nor kubectl")


@cache
def built(project: Path, overlay: str) -> list[Document]:
    return list(yaml.safe_load_all(run(*kustomize(), f"kubernetes/overlays/{overlay}", cwd=project)))


@dataclass(frozen=True)
class Release:
    """The manifests that are deployed for a project."""

    project: Path
    application: dict[str, Any]
    overlay: str = "production"

    @property
    def documents(self) -> list[Document]:
        return built(self.project, self.overlay)

    def of_kind(self, kind: str) -> list[Document]:
        return [document for document in self.documents if document["kind"] == kind]

    def one(self, kind: str, name: str = "app") -> Document:
        [document] = [document for document in self.of_kind(kind) if document["metadata"]["name"] == name]
        return document

    @property
    def workloads(self) -> list[Document]:
        return self.of_kind("Deployment") + self.of_kind("Job")

    @property
    def pods(self) -> Iterator[tuple[Document, Document]]:
        """Yields the specification of each pod, and of its container."""
        for workload in self.workloads:
            pod = workload["spec"]["template"]["spec"]
            [container] = pod["containers"]
            yield pod, container

    @property
    def settings(self) -> dict[str, str]:
        [settings] = self.of_kind("ConfigMap")
        values: dict[str, str] = settings["data"]
        return values

    def file(self, path: str) -> str:
        return (self.project / path).read_text("utf-8")


def describe(project: Path) -> dict[str, Any]:
    """Returns the settings and paths that the application itself reports."""
    # The project is shared with other tests: nothing may be left in it.
    environment = SAFE | {"PYTHONDONTWRITEBYTECODE": "1"}
    said = run(sys.executable, "-c", DESCRIBE, cwd=project, environment=environment)
    described: dict[str, Any] = json.loads(said.splitlines()[-1])
    return described


@pytest.fixture(scope="module", params=["full", "without tasks"])
def release(request: pytest.FixtureRequest, render: Render) -> Release:
    project = render(profile="full") if request.param == "full" else render(profile="full", tasks="none")
    return Release(project, describe(project))


# --- The properties of a release


def selectors_find_their_pods(release: Release) -> None:
    server, service, budget = (release.one(kind) for kind in ("Deployment", "Service", "PodDisruptionBudget"))
    pods = [workload["spec"]["template"]["metadata"]["labels"] for workload in release.workloads]
    wanted = [
        *(workload["spec"]["selector"]["matchLabels"] for workload in release.of_kind("Deployment")),
        service["spec"]["selector"],
        budget["spec"]["selector"]["matchLabels"],
        *(spread["labelSelector"]["matchLabels"] for spread in spreads(server)),
    ]
    for selector in wanted:
        assert sum(selector.items() <= labels.items() for labels in pods) == 1, selector
    for selector in wanted[len(release.of_kind("Deployment")) :]:
        assert selector.items() <= server["spec"]["template"]["metadata"]["labels"].items()
    target = release.one("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (target["apiVersion"], target["kind"], target["name"]) == ("apps/v1", "Deployment", "app")


def spreads(deployment: Document) -> list[Document]:
    constraints: list[Document] = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
    return constraints


def replicas_are_spread(release: Release) -> None:
    topologies = {spread["topologyKey"] for spread in spreads(release.one("Deployment"))}
    assert topologies == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}


def the_user_is_the_images(release: Release) -> None:
    dockerfile = release.file("docker/Dockerfile")
    [user] = re.findall(r"^USER (\d+)", dockerfile, re.MULTILINE)
    assert set(re.findall(r"--uid (\d+)", dockerfile)) == {user}
    for pod, _ in release.pods:
        assert str(pod["securityContext"]["runAsUser"]) == str(pod["securityContext"]["runAsGroup"]) == user


def pods_are_restricted(release: Release) -> None:
    for pod, container in release.pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        [writable] = container["volumeMounts"]
        [volume] = pod["volumes"]
        assert (writable["mountPath"], writable["name"]) == ("/tmp", volume["name"])  # noqa: S108 (of the container)
        assert volume["emptyDir"]["sizeLimit"]


def memory_is_bounded(release: Release) -> None:
    for _, container in release.pods:
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert container["resources"]["limits"].keys() == {"memory"}


def probes_ask_what_the_application_answers(release: Release) -> None:
    containers = {container["name"]: container for _, container in release.pods}
    server = containers["app"]
    port = {entry["name"]: str(entry["containerPort"]) for entry in server["ports"]}
    assert re.findall(r"^EXPOSE (\d+)", release.file("docker/Dockerfile"), re.MULTILINE) == list(port.values())
    assert release.one("Service")["spec"]["ports"][0]["targetPort"] in port
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert server[probe]["httpGet"]["path"] in release.application["paths"]
        assert server[probe]["httpGet"]["port"] in port
    # If a service that the application needs is down, the pods get no requests, but are not restarted.
    assert server["readinessProbe"]["httpGet"]["path"].endswith("/health/ready")
    assert server["livenessProbe"]["httpGet"]["path"].endswith("/health")
    for name in containers.keys() - {"app"}:
        assert not [key for key in containers[name] if key.endswith("Probe")], "serves no HTTP"


def readiness_waits_longer_than_the_application(release: Release) -> None:
    [ping] = re.findall(r"^PING_TIMEOUT = ([\d.]+)", release.file("app/core/database.py"), re.MULTILINE)
    pod = release.one("Deployment")["spec"]["template"]["spec"]
    assert pod["containers"][0]["readinessProbe"]["timeoutSeconds"] > float(ping)


def stopping_fits_its_grace(release: Release) -> None:
    pod = release.one("Deployment")["spec"]["template"]["spec"]
    assert "lifecycle" not in pod["containers"][0], "the application itself waits until nobody sends requests any more"
    delay = float(release.settings["SHUTDOWN_DELAY"])
    [server] = re.findall(r"^TIMEOUT_GRACEFUL_SHUTDOWN = (\d+)", release.file("app/__main__.py"), re.MULTILINE)
    assert delay > release.application["defaults"]["SHUTDOWN_DELAY"]
    assert pod["terminationGracePeriodSeconds"] > delay + int(server)
    for pod in [pod for pod, container in release.pods if container["name"] == "worker"]:
        [tasks] = re.findall(r"--wait-tasks-timeout=(\d+)", " ".join(pod["containers"][0]["command"]))
        assert pod["terminationGracePeriodSeconds"] > int(tasks)


def no_replica_goes_before_another_comes(release: Release) -> None:
    update = release.one("Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert update["maxUnavailable"] == 0
    assert update["maxSurge"] > 0
    assert "replicas" not in release.one("Deployment")["spec"], "each apply would undo the autoscaler"
    assert release.one("HorizontalPodAutoscaler")["spec"]["minReplicas"] > 1
    # A budget that never allows an eviction blocks the upgrade of a node.
    assert release.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def every_setting_is_read(release: Release) -> None:
    unknown = release.settings.keys() - set(release.application["settings"]) - OF_UVICORN
    assert not unknown
    assert release.settings["ENVIRONMENT"] == release.overlay


def no_secret_is_in_a_file(release: Release) -> None:
    assert not release.of_kind("Secret")
    assert not release.settings.keys() & set(release.application["secrets"])
    for _, container in release.pods:
        assert "env" not in container
        assert {"secretRef": {"name": "secrets"}} in container["envFrom"]


def settings_reach_every_process(release: Release) -> None:
    [settings] = release.of_kind("ConfigMap")
    for _, container in release.pods:
        assert {"configMapRef": {"name": settings["metadata"]["name"]}} in container["envFrom"]


def connections_fit_the_database(release: Release) -> None:
    of_a_process = int(release.settings["DB_POOL_SIZE"]) + 1
    # The scheduler does not use the database.
    others = [
        workload["spec"].get("replicas", 1) + 1
        for workload in release.workloads
        if workload["metadata"]["name"] not in {"app", "scheduler"}
    ]
    assert connections(release) + sum(others) * of_a_process <= CONNECTIONS


def all_run_the_same_image(release: Release) -> None:
    images = {container["image"] for _, container in release.pods}
    assert len(images) == 1
    [image] = images
    assert image.startswith("registry.example.com/")
    assert not image.endswith((":latest", ":app"))


def only_what_is_needed_passes(release: Release) -> None:
    policy = release.one("NetworkPolicy")["spec"]
    [selector] = policy["podSelector"]["matchExpressions"]
    labels = [workload["spec"]["template"]["metadata"]["labels"] for workload in release.workloads]
    assert selector["operator"] == "In"
    assert all(pod[selector["key"]] in selector["values"] for pod in labels)
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert [entry["port"] for rule in policy["ingress"] for entry in rule["ports"]] == [8000]
    # DNS, PostgreSQL, PgBouncer, the cache, SMTP, OTLP, Sentry
    needed = {53, 5432, 6432, 6379, 465, 587, 4318, 443}
    assert {entry["port"] for rule in policy["egress"] for entry in rule["ports"]} == needed
    [names] = [rule for rule in policy["egress"] if rule["ports"][0]["port"] == 53]
    assert {(entry["port"], entry.get("protocol", "TCP")) for entry in names["ports"]} == {(53, "UDP"), (53, "TCP")}


def the_stage_has_a_namespace_of_its_own(release: Release) -> None:
    [namespace] = {document["metadata"]["namespace"] for document in release.documents}
    assert namespace.endswith(f"-{release.overlay}")


DEPLOYMENT = "base/deployment.yaml"
# Each property, with a change that must break it: the file, the text, and what replaces it.
PROPERTIES: dict[Callable[[Release], None], tuple[str, str, str]] = {
    selectors_find_their_pods: ("base/service.yaml", "component: server\n  ports", "component: web\n  ports"),
    replicas_are_spread: (DEPLOYMENT, "topologyKey: kubernetes.io/hostname", "topologyKey: rack"),
    the_user_is_the_images: ("base/migrate.yaml", "runAsUser: 10001", "runAsUser: 1000"),
    pods_are_restricted: ("base/migrate.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
    memory_is_bounded: (DEPLOYMENT, "limits:\n              memory", "limits:\n              cpu"),
    probes_ask_what_the_application_answers: (DEPLOYMENT, "/health/ready", "/ready"),
    readiness_waits_longer_than_the_application: (
        DEPLOYMENT,
        "timeoutSeconds: 2\n            failureThreshold: 2\n",
        "timeoutSeconds: 1\n            failureThreshold: 2\n",
    ),
    stopping_fits_its_grace: (DEPLOYMENT, "GracePeriodSeconds: 40", "GracePeriodSeconds: 28"),
    no_replica_goes_before_another_comes: (DEPLOYMENT, "maxUnavailable: 0", "maxUnavailable: 1"),
    every_setting_is_read: ("base/settings.env", "DB_POOL_SIZE=5", "DB_POOL=5"),
    no_secret_is_in_a_file: ("base/settings.env", "DB_POOL_SIZE=5", "DATABASE_URL=postgresql://app:word@database/app"),
    settings_reach_every_process: ("base/migrate.yaml", "name: settings", "name: setings"),
    connections_fit_the_database: ("base/settings.env", "DB_POOL_SIZE=5", "DB_POOL_SIZE=10"),
    all_run_the_same_image: ("base/migrate.yaml", "image: app", "image: other"),
    only_what_is_needed_passes: ("base/network-policy.yaml", "server, worker, migration", "server, worker"),
    the_stage_has_a_namespace_of_its_own: ("overlays/production/kustomization.yaml", "-production", "-staging"),
}
NAMES = [holds.__name__ for holds in PROPERTIES]


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("holds", PROPERTIES, ids=NAMES)
def test_it_holds(release: Release, overlay: str, holds: Callable[[Release], None]) -> None:
    if (overlay, holds) == ("staging", no_replica_goes_before_another_comes):
        return  # staging needs only one replica
    holds(Release(release.project, release.application, overlay))


@pytest.mark.parametrize("holds", PROPERTIES, ids=NAMES)
def test_its_absence_is_noticed(release: Release, tmp_path: Path, holds: Callable[[Release], None]) -> None:
    file, code, without = PROPERTIES[holds]
    project = tmp_path / "project"
    for folder in ("kubernetes", "docker", "app"):
        shutil.copytree(release.project / folder, project / folder)
    path = project / "kubernetes" / file
    assert path.read_text("utf-8").count(code) == 1, "it is written otherwise now: say how it looks without it"
    path.write_text(path.read_text("utf-8").replace(code, without), "utf-8")

    with pytest.raises((AssertionError, ValueError, KeyError)):
        holds(Release(project, release.application))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_is_built_follows_the_schemas(release: Release, tmp_path: Path, overlay: str) -> None:
    (tmp_path / "built.yaml").write_text(
        yaml.safe_dump_all(Release(release.project, {}, overlay).documents), encoding="utf-8"
    )
    versions = [f"--kubernetes-version={version}" for version in VERSIONS]

    assert run("kubernetes-validate", "--strict", "--quiet", *versions, "built.yaml", cwd=tmp_path) == ""


def test_the_versions_are_those_that_the_project_checks(release: Release) -> None:
    assert f"\nKUBERNETES_VERSIONS := {' '.join(VERSIONS)}\n" in release.file("kubernetes/targets.mk")


def test_the_worker_and_the_scheduler_are_there_with_their_tasks(render: Render) -> None:
    with_tasks, without = render(profile="full"), render(profile="full", tasks="none")

    for name in ("worker", "scheduler"):
        assert Release(with_tasks, {}).one("Deployment", name)
        assert not (without / f"kubernetes/base/{name}.yaml").exists()
    assert [document["metadata"]["name"] for document in Release(without, {}).of_kind("Deployment")] == ["app"]


def test_nothing_is_left_behind_without_the_option(render: Render) -> None:
    project = render()

    assert not (project / "kubernetes").exists()
    assert "kubernetes-validate" not in (project / "pyproject.toml").read_text("utf-8")
    help_text = run("make", "help", cwd=project)
    assert "kubernetes-check" not in help_text


def commands() -> list[str]:
    """Returns the lines of the guide that need a cluster."""
    blocks = re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("command", commands())
def test_each_command_of_the_guide_gets_as_far_as_the_cluster(render: Render, tmp_path: Path, command: str) -> None:
    if not shutil.which("kubectl"):
        pytest.skip("there is no kubectl")
    cluster = {"name": "none", "cluster": {"server": "http://127.0.0.1:9"}}
    context = {"name": "none", "context": {"cluster": "none", "user": ""}}
    configuration = {"clusters": [cluster], "contexts": [context], "current-context": "none"}
    (tmp_path / "config").write_text(json.dumps({"apiVersion": "v1", "kind": "Config"} | configuration))

    process = subprocess.run(
        ["bash", "-c", command],
        cwd=render(profile="full"),
        env=os.environ | {"KUBECONFIG": str(tmp_path / "config")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 0 or "connection refused" in process.stderr.replace(
        " was refused", "connection refused"
    )


def test_the_guide_names_what_is_there(release: Release) -> None:
    text = "\n".join(commands())

    [namespace] = set(re.findall(r"my-backend-\w+", text))
    assert namespace == release.one("Deployment")["metadata"]["namespace"]
    [secret] = re.findall(r"create secret generic (\w+)", text)
    assert {"secretRef": {"name": secret}} in next(release.pods)[1]["envFrom"]
    given = [*re.findall(r"--from-literal (\w+)=", text), "CACHE_URL", "METRICS_TOKEN"]
    assert set(given) <= set(release.application["secrets"])
    for kind, name in re.findall(r"(job|deployment)[ /](\w+)", text):
        assert release.one(kind.capitalize(), name)
    assert f"that is {connections(release)} of the 100" in GUIDE.replace("\n", " ")


def connections(release: Release) -> int:
    """Returns how many connections all replicas of the server hold together during a rollout."""
    settings = release.application["defaults"] | release.settings
    replicas = release.one("HorizontalPodAutoscaler")["spec"]["maxReplicas"]
    replicas += release.one("Deployment")["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
    of_a_process = int(settings["DB_POOL_SIZE"]) + int(settings["DB_MAX_OVERFLOW"]) + 1
    return int(replicas * of_a_process)


def test_the_guide_migrates_before_it_rolls_out(release: Release) -> None:
    [first, *_] = [line for line in commands() if line.startswith("kubectl apply")]
    [(label, values)] = re.findall(r"--selector '(\S+) notin \((.*)\)'", first)
    chosen = {
        document["kind"]
        for document in release.documents
        if document["metadata"]["labels"].get(label) not in values.split(",")
    }

    assert chosen == {"ConfigMap", "Job", "NetworkPolicy"}
    assert [line.split()[1] for line in commands()[-5:]] == ["delete", "apply", "wait", "apply", "rollout"]


@pytest.mark.slow
def test_the_projects_own_check_finds_faults(release: Release, tmp_path: Path) -> None:
    project = Path(shutil.copytree(release.project, tmp_path / "project"))

    assert "The manifests are valid" in run("make", "kubernetes-check", cwd=project)
    without_kustomize = run("make", "kubernetes-check", "KUSTOMIZE=", cwd=project)
    assert "the overlays need kubectl or kustomize" in without_kustomize
    dry_run = subprocess.run(["make", "-n", "check"], cwd=project, capture_output=True, text=True, check=False).stdout
    assert "kubernetes-validate" in dry_run
    for code, without in (("kind: Service\n", "kind: Servise\n"), ("targetPort: http", "targetPorts: http")):
        word = without.strip().removeprefix("kind: ").removesuffix(": http")
        path = project / "kubernetes/base/service.yaml"
        text = path.read_text("utf-8")
        path.write_text(text.replace(code, without), "utf-8")
        for arguments in ([], ["KUSTOMIZE="]):
            assert word in run("make", "kubernetes-check", *arguments, cwd=project, status=2)
        path.write_text(text, "utf-8")
