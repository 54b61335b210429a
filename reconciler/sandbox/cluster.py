"""What a fresh sandbox holds: nodes and, unless left out, a default StorageClass."""

from __future__ import annotations

from typing import Any, Final

STORAGE_CLASS: Final = "sandbox"
POD_NETWORK: Final = "10.244.{index}.0/24"


def objects(nodes: int, *, storage_class: bool) -> list[dict[str, Any]]:
    """Return the objects that `up` creates."""
    made = [_node(index) for index in range(nodes)]
    return [*made, _storage_class()] if storage_class else made


def _node(index: int) -> dict[str, Any]:
    name = f"node-{index + 1}"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "topology.kubernetes.io/zone": f"zone-{index % 3 + 1}",
                "node.kubernetes.io/instance-type": "sandbox",
            },
        },
        "spec": {"podCIDR": POD_NETWORK.format(index=index), "podCIDRs": [POD_NETWORK.format(index=index)]},
        "status": {
            "capacity": {"cpu": "64", "memory": "512Gi", "ephemeral-storage": "1Ti", "pods": "1000"},
            "allocatable": {"cpu": "64", "memory": "512Gi", "ephemeral-storage": "1Ti", "pods": "1000"},
        },
    }


def _storage_class() -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "sandbox.reconciler.dev",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
