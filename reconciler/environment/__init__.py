"""environment.yaml: one live cluster and the components it runs, read strictly, all errors at once."""

from reconciler.environment.load import discover, load
from reconciler.environment.models import (
    ClusterRef,
    Component,
    Deletions,
    Environment,
    HealthCheck,
    Ignore,
    ManagerStance,
    Policy,
    Render,
    SecretRef,
    Spec,
    Stance,
    seconds,
)

__all__ = [
    "ClusterRef",
    "Component",
    "Deletions",
    "Environment",
    "HealthCheck",
    "Ignore",
    "ManagerStance",
    "Policy",
    "Render",
    "SecretRef",
    "Spec",
    "Stance",
    "discover",
    "load",
    "seconds",
]
