"""The manifests for Kubernetes have only fields that there are, with values of their types.

The types are those of Kubernetes' own client for Python, of dagster-ray, and of dagster-k8s. No cluster is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_snake

if TYPE_CHECKING:
    import dagster as dg

FOLDER = Path(__file__).parents[2] / "docs" / "kubernetes"
GROUP = {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "serviceType", "template"}
NOT_RUN = "Nobody has run it yet: docs/kubernetes.md."
MANIFESTS = [
    pytest.param(manifest, id=f"{path.stem}-{manifest['kind']}")
    for path in sorted(FOLDER.glob("*.yaml"))
    if path.name != "dagster.yaml"
    for manifest in yaml.safe_load_all(path.read_text())
]


def check(kind: str, value: Mapping[str, Any]) -> None:
    """Fail on a field that Kubernetes doesn't have, and on a value of another type."""
    from dagster_k8s.models import k8s_model_from_dict, k8s_snake_case_dict
    from kubernetes import client  # they take seconds to import

    model = getattr(client, f"V1{kind}")
    k8s_model_from_dict(model, k8s_snake_case_dict(model, value))


def check_ray(manifest: Mapping[str, Any]) -> None:
    """Fail on a field that KubeRay doesn't have, and on a wrong pod."""
    from dagster_ray.kuberay.configs import AuthOptions, RayClusterSpec, RayJobSpec

    model: type[dg.Config] = {"RayCluster": RayClusterSpec, "RayJob": RayJobSpec}[manifest["kind"]]
    spec = fields_of(model, manifest["spec"])
    if "auth_options" in spec:
        spec["auth_options"] = fields_of(AuthOptions, spec["auth_options"])
    model.model_validate(spec)
    head = [spec["head_group_spec"]] if "head_group_spec" in spec else []
    for group in (*head, *spec.get("worker_group_specs", ())):
        assert group.keys() <= GROUP
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        check("PodTemplateSpec", group["template"])


def fields_of(model: type[BaseModel], value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part of a manifest with the names that a model has; fail on a field that it doesn't have."""
    fields = {to_snake(name): part for name, part in value.items()}
    assert fields.keys() <= {*model.model_fields, "entrypoint"}  # dagster-ray sets that one itself
    return fields


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_a_manifest_has_the_fields_of_its_kind(manifest: dict[str, Any]) -> None:
    if manifest["apiVersion"] == "ray.io/v1":
        check_ray(manifest)
    else:
        check(manifest["kind"], manifest)


def test_a_wrong_field_is_noticed() -> None:
    (cluster,) = (m for m in yaml.safe_load_all((FOLDER / "ray.yaml").read_text()) if m["kind"] == "RayCluster")
    cluster["spec"]["headGroupSpec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    with pytest.raises(Exception, match="imagee"):
        check_ray(cluster)
    with pytest.raises(AssertionError):
        check_ray({"kind": "RayCluster", "spec": {"rayVersionn": "2.60.0"}})
    with pytest.raises(ValidationError, match="requires ray_version"):
        check_ray({"kind": "RayCluster", "spec": {"authOptions": {"mode": "token"}}})


def test_dagsters_instance_has_the_settings_of_dagster_k8s() -> None:
    from dagster._config import process_config, resolve_to_config_type
    from dagster_k8s import K8sRunLauncher

    launcher = yaml.safe_load((FOLDER / "dagster.yaml").read_text())["run_launcher"]
    assert (launcher["module"], launcher["class"]) == ("dagster_k8s", "K8sRunLauncher")
    processed = process_config(resolve_to_config_type(K8sRunLauncher.config_type()), launcher["config"])
    assert processed.success, [error.message for error in processed.errors or ()]


def test_every_file_says_that_it_was_not_run() -> None:
    for path in FOLDER.glob("*.yaml"):
        assert path.read_text().partition("\n")[0].endswith(NOT_RUN)
