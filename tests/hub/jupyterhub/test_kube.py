"""The pods, claims and policies for Kubernetes, held against its own schemas: there is no cluster here."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from flip_hub.governance.profiles import Profile, profiles
from flip_hub.jupyterhub import cluster
from flip_hub.jupyterhub.spawner import CONFIGURATION
from kubernetes_asyncio.client import ApiClient

from tests.hub.jupyterhub.forms import IMAGE, PROJECT, made, of_form

VERSIONS = ("1.32", "1.37")


def validated(manifest: dict[str, Any]) -> dict[str, Any]:
    """The same manifest, once every schema has taken it."""
    for version in VERSIONS:
        kubernetes_validate.validate(manifest, version, strict=True)
    return manifest


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """KubeSpawner looks for its cluster as it is made."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setattr("kubespawner.spawner.load_config", lambda **_: None)
    monkeypatch.setattr("kubespawner.spawner.shared_client", lambda _: None)


def pod_of(tmp_path: Path, profile: str = "small", **changes: Any) -> dict[str, Any]:
    """The manifest of a pod, as it is sent."""
    config = of_form(tmp_path, "kube", **changes)
    spawner = made(config)
    spawner.prepare()
    spawner.limit(profiles(config).named(profile))
    return _sent(asyncio.run(spawner.get_pod_manifest()))


def _sent(model: Any) -> dict[str, Any]:
    return ApiClient.sanitize_for_serialization(ApiClient.__new__(ApiClient), model)


@pytest.mark.parametrize("profile", ["small", "gpu", "slice"])
@pytest.mark.usefixtures("offline")
def test_a_pod_fits_the_schemas_and_has_no_rights(tmp_path: Path, profile: str) -> None:
    pod = validated(pod_of(tmp_path, profile))
    spec = pod["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*spec["containers"], *spec["initContainers"]):
        rights = container["securityContext"]
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert rights["readOnlyRootFilesystem"]
        assert rights["runAsNonRoot"]
        assert rights["runAsUser"] >= 1
        assert rights["seccompProfile"] == {"type": "RuntimeDefault"}
        assert [rights["privileged"], rights["allowPrivilegeEscalation"]] == [False, False]
        assert container["image"] == IMAGE
    assert not {"hostNetwork", "hostPID", "hostIPC"} & {name for name, value in spec.items() if value}


@pytest.mark.usefixtures("offline")
def test_only_its_home_and_a_small_tmp_can_be_written(tmp_path: Path) -> None:
    spec = pod_of(tmp_path)["spec"]
    mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in spec["containers"][0]["volumeMounts"]}
    assert mounts == {
        "/home/researcher": False,
        "/home/researcher/incoming": True,
        "/etc/flip/workspace": True,
        "/tmp": False,
    }
    assert next(one for one in spec["volumes"] if "emptyDir" in one)["emptyDir"]["sizeLimit"]


@pytest.mark.parametrize("profile", ["small", "gpu", "slice"])
@pytest.mark.usefixtures("offline")
def test_its_limits_are_its_profiles(tmp_path: Path, profile: str) -> None:
    wanted: Profile = profiles(of_form(tmp_path, "kube")).named(profile)
    spec = pod_of(tmp_path, profile)["spec"]
    limits = spec["containers"][0]["resources"]["limits"]
    assert float(limits["cpu"]) == wanted.cpu
    assert int(limits["memory"]) == wanted.memory
    assert {name: value for name, value in limits.items() if "nvidia" in name} == (
        {wanted.resource: "1"} if wanted.gpus else {}
    )
    assert [one["key"] for one in spec.get("tolerations", [])] == [one["key"] for one in wanted.tolerations]


@pytest.mark.usefixtures("offline")
def test_a_profile_chooses_its_nodes(tmp_path: Path) -> None:
    table = tmp_path / "profiles.yaml"
    table.write_text(
        "default: a\nprofiles: [{name: a, title: A, cpu: 1, memory_gb: 1, node_selector: {gpu-model: h200}}]\n"
    )
    pod = validated(pod_of(tmp_path, "a", workspace_profiles="profiles.yaml"))
    assert pod["spec"]["nodeSelector"] == {"gpu-model": "h200"}


@pytest.mark.usefixtures("offline")
def test_its_environment_is_the_workspaces_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/of/the/hub")
    env = {one["name"]: one["value"] for one in pod_of(tmp_path)["spec"]["containers"][0]["env"]}
    assert env["FLIP_PROJECT"] == PROJECT
    assert env["JUPYTERHUB_API_TOKEN"] == "the-narrow-token"
    assert env["FLIP_HUB_API"] == "http://172.30.0.1:8000/services/flip/api"
    assert env["JUPYTERHUB_API_URL"].startswith("http://172.30.0.1:8081/")
    assert env["JUPYTER_CONFIG_DIR"] == "/etc/flip/workspace"
    assert not {"VIRTUAL_ENV", "PATH", "FLIP_HUB_HOME"} & set(env)
    assert str(tmp_path) not in str(env)


@pytest.mark.usefixtures("offline")
def test_each_project_has_a_claim_of_its_own(tmp_path: Path) -> None:
    config = of_form(tmp_path, "kube")
    spawner = made(config)
    spawner.prepare()
    claim = validated(_sent(spawner.get_pvc_manifest()))
    assert claim["metadata"]["name"] == "flip-home-ada--open-project"
    assert claim["metadata"]["labels"]["flip/project"] == PROJECT
    assert claim["spec"]["storageClassName"] == "encrypted"
    assert spawner.namespace == "flip"
    assert not spawner.delete_pvc


def test_what_a_cluster_is_given_fits_the_schemas(tmp_path: Path) -> None:
    kinds = [validated(one)["kind"] for one in cluster.manifests(of_form(tmp_path, "kube"))]
    assert kinds == ["ConfigMap", "NetworkPolicy", "ServiceAccount", "Role", "RoleBinding"]


def test_workspaces_reach_the_hub_and_the_names_of_the_cluster_alone(tmp_path: Path) -> None:
    policy = cluster.network(of_form(tmp_path, "kube"))["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    reached = {(str(rule["to"]), port["port"]) for rule in policy["egress"] for port in rule["ports"]}
    assert {port for _, port in reached} == {8000, 8081, 53}
    assert all("podSelector" in peer for rule in policy["egress"] for peer in rule["to"])
    assert not any("ipBlock" in peer for rule in policy["egress"] for peer in rule["to"])


def test_the_configuration_is_all_of_it(tmp_path: Path) -> None:
    data = cluster.configuration(of_form(tmp_path, "kube"))["data"]
    mounted = {item["path"]: data[item["key"]] for item in cluster.items()}
    assert mounted["labconfig/page_config.json"] == (CONFIGURATION / "labconfig" / "page_config.json").read_text()
    assert "jupyter_server_config.py" in mounted
