"""Rules of a platform over what its environments render: files of `kind: RuleSet`, named by environment.yaml.

They are data, so that a platform team states what must hold for its own platform (which options exclude each other, what
one option needs of another) without code. The expressions are CEL, as in Kubernetes' own admission policies.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotation
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

from msgspec import Meta, field

from reconciler import cel, yaml
from reconciler.environment.load import rules_path
from reconciler.environment.models import Metadata, Name, Strict, Text, Unfit
from reconciler.environment.strict import line_of, validated
from reconciler.errors import ConfigError, Problem
from reconciler.model.origin import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.environment.models import Environment
    from reconciler.model.files import FileTree

SUFFIXES: Final = (".yaml", ".yml")


def require_cel(expression: str) -> None:
    """Raise ValueError where an expression is no CEL."""
    try:
        cel.program(expression)
    except ConfigError as error:
        raise ValueError(str(error)) from error


class Selector(Strict, frozen=True):
    """Which objects a rule is about; what is not given fits all."""

    group: str | None = None
    kind: str | None = None
    namespace: Annotated[str | None, Meta(description="* matches any run of characters")] = None
    name: Annotated[str | None, Meta(description="* matches any run of characters")] = None
    labels: Annotated[Mapping[str, str], Meta(description="labels and their values; * fits any value")] = field(
        default_factory=dict
    )


class Rule(Strict, frozen=True):
    """One thing that has to hold."""

    name: Name
    select: Annotated[
        Mapping[str, Selector], Meta(min_length=1, description="the objects, by the variable that holds them")
    ]
    expression: Annotated[
        str,
        Meta(
            description="CEL, true where all is well; `environment` has name, labels and components",
            extra={"check": require_cel},
        ),
    ]
    message: Annotated[Text, Meta(description="what is wrong where it is false, and why that matters")]
    environments: Annotated[Mapping[str, str], Meta(description="only where the environment has these labels")] = field(
        default_factory=dict
    )
    each: Annotated[
        str | None, Meta(description="one of the variables: evaluate once for each of its objects, as `object`")
    ] = None
    hint: Annotated[str, Meta(description="what to do about it")] = ""
    severity: Literal["error", "warning"] = "error"

    def __post_init__(self) -> None:
        """Check what is said about what else is said."""
        require_cel(self.expression)
        if self.each is not None and self.each not in self.select:
            raise Unfit(f"each names {self.each}, which is not in select: expected {', '.join(self.select)}", "each")


class RuleSpec(Strict, frozen=True):
    """The rules of a file."""

    rules: Annotated[tuple[Rule, ...], Meta(min_length=1)]


class RuleSet(Strict, frozen=True):
    """One file of rules."""

    api_version: Literal["reconciler.dev/v1alpha1"]
    kind: Literal["RuleSet"]
    metadata: Metadata
    spec: RuleSpec


@dataclass(frozen=True, slots=True)
class PlacedRule:
    """A rule with its full name (`set/rule`) and the place where it stands."""

    rule: Rule
    name: str
    file: str
    line: int


def load_rules(files: FileTree, environment: Environment) -> tuple[PlacedRule, ...]:
    """Return the rules that hold for an environment; raises ConfigError with all that is wrong with their files."""
    found: list[PlacedRule] = []
    problems: list[Problem] = []
    for path in dict.fromkeys(_files(files, environment)):
        rules, wrong = _read(files, path)
        problems += wrong
        found += rules
    if problems:
        raise ConfigError(sorted(set(problems)))
    labels = environment.metadata.labels
    return tuple(
        item for item in found if all(labels.get(key) == value for key, value in item.rule.environments.items())
    )


def _files(files: FileTree, environment: Environment) -> Iterator[str]:
    for item in environment.spec.rules:
        path = rules_path(environment.name, item)
        if files.is_dir(path):
            yield from (f"{path}/{name}" for name in files.entries(path) if name.endswith(SUFFIXES))
        else:
            yield path


def _read(files: FileTree, path: str) -> tuple[list[PlacedRule], list[Problem]]:
    documents, twice = yaml.parse_strict(files.read(path), Source(path, posixpath.dirname(path)))
    problems = list(twice)
    found: list[PlacedRule] = []
    for document in documents:
        if not isinstance(document, dict):
            problems.append(Problem(path, 1, "expected a mapping with kind: RuleSet"))
            continue
        rules, wrong = validated(RuleSet, document, path)
        problems += wrong
        for index, rule in enumerate(rules.spec.rules if rules is not None else ()):
            line = line_of(document, ("spec", "rules", index, "name"))
            found.append(PlacedRule(rule, f"{document['metadata']['name']}/{rule.name}", path, line))
    return found, problems
