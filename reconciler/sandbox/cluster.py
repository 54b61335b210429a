"""What a fresh sandbox holds: nodes and, unless left out, a default StorageClass."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import islice
from typing import Any, Final

from reconciler.sandbox import places

STORAGE_CLASS: Final = "sandbox"
POD_NETWORKS: Final = IPv4Network("10.128.0.0/9")  # cut into one /24 a node: room for 32768 nodes beside the Services


def objects(nodes: int, *, storage_class: bool) -> list[dict[str, Any]]:
    """Return the objects that `up` creates."""
    networks = islice(POD_NETWORKS.subnets(new_prefix=24), nodes)
    made = [_node(index, str(network)) for index, network in enumerate(networks)]
    return [*made, _storage_class()] if storage_class else made


def _node(index: int, network: str) -> dict[str, Any]:
    name = f"node-{index + 1}"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": places.machine(),
                "kubernetes.io/hostname": name,
                "topology.kubernetes.io/zone": f"zone-{index % 3 + 1}",
                "node.kubernetes.io/instance-type": "sandbox",
                "node-role.kubernetes.io/worker": "",
            },
        },
        "spec": {"podCIDR": network, "podCIDRs": [network]},
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
