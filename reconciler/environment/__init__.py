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
from reconciler.environment.rules import PlacedRule, Rule, RuleSet, Selector, load_rules
from reconciler.environment.schema import json_schema

__all__ = [
    "ClusterRef",
    "Component",
    "Deletions",
    "Environment",
    "HealthCheck",
    "Ignore",
    "ManagerStance",
    "PlacedRule",
    "Policy",
    "Render",
    "Rule",
    "RuleSet",
    "SecretRef",
    "Selector",
    "Spec",
    "Stance",
    "discover",
    "json_schema",
    "load",
    "load_rules",
    "seconds",
]
