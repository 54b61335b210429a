"""Reading environment.yaml: strictly, with every error of the file in one go, each with its line."""

from __future__ import annotations

import difflib
import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.environment.models import Deletions, Environment, EnvironmentFile, NamedKind
from reconciler.environment.strict import line_of, validated
from reconciler.errors import ConfigError, InvalidEnvironment, Problem
from reconciler.model.origin import Source
from reconciler.model.path import format_path, parse_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.environment.models import Policy, Spec
    from reconciler.model.files import FileTree

ROOT: Final = "environments"
FILE: Final = "environment.yaml"
KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def discover(files: FileTree) -> tuple[str, ...]:
    """Return the names of the environments that a repository defines or evidently was to define, sorted.

    One that cannot be looked at, a link that leads out of the repository, is one that cannot be loaded; so is one whose
    file has another name (environment.yml) or is no file.
    """
    if not files.is_dir(ROOT):
        return ()
    return tuple(name for name in files.entries(ROOT) if _meant(files, f"{ROOT}/{name}"))


def _meant(files: FileTree, directory: str) -> bool:
    try:
        return bool(_similar(files, directory)) or _leads_nowhere(files, directory)
    except ConfigError:
        return True


def _similar(files: FileTree, directory: str) -> list[str]:
    """Return what is in a directory and called as an environment's file, or nearly so."""
    names = files.entries(directory) if files.is_dir(directory) else ()
    return [name for name in names if name.lower() in (FILE, "environment.yml")]


def _leads_nowhere(files: FileTree, path: str) -> bool:
    """Whether something stands there that is neither directory nor file; editors make such links with a dot in front."""
    hidden = posixpath.basename(path).startswith(".")
    return not hidden and not files.is_dir(path) and not files.is_file(path)


def load(files: FileTree, path: str) -> Environment:
    """Return the environment of a file; raises InvalidEnvironment with all that is wrong with it."""
    directory = posixpath.dirname(path)
    if not files.is_file(path):
        raise InvalidEnvironment([_absent(files, path)])
    document, problems = _document(files, path)
    read, wrong = validated(EnvironmentFile, document, path)
    problems += wrong
    environment = None
    if read is not None:
        kinds = tuple(_kinds(document, read.spec.policy))
        environment = Environment(read.metadata, read.spec, _needs(document, read.spec), kinds)
    if environment is not None:
        problems += _meaning(files, directory, path, document, environment)
    if problems or environment is None:
        raise InvalidEnvironment(sorted(set(problems)))
    return environment


def rules_path(environment: str, path: str) -> str:
    """Return where one of an environment's `spec.rules` leads to."""
    return posixpath.normpath(posixpath.join("environments", environment, path))


def _absent(files: FileTree, path: str) -> Problem:
    """Return why there is no file of an environment."""
    directory = posixpath.dirname(path)
    name = posixpath.basename(directory)
    similar = _similar(files, directory)
    names = discover(files)
    if FILE in similar:
        what = "a directory" if files.is_dir(path) else "no file: a link that leads nowhere, or a pipe"
        return Problem(path, 0, f"is {what}", "expected a file with kind: Environment")
    if similar:
        return Problem(
            f"{directory}/{similar[0]}", 0, "is not read", f"rename it: an environment's file is called {FILE}"
        )
    if name in names:
        message = "is no directory: a link that leads nowhere, or a pipe"
        return Problem(directory, 0, message, f"expected a directory with {FILE}")
    near = difflib.get_close_matches(name, names, 1)
    known = f"there are {', '.join(names)}" if names else f"there is no {ROOT}/<name>/{FILE} at all"
    return Problem(path, 0, f"there is no environment {name}", f"did you mean {near[0]}? {known}" if near else known)


def _document(files: FileTree, path: str) -> tuple[Any, list[Problem]]:
    try:
        documents, twice = yaml.parse_strict(files.read(path), Source(path, posixpath.dirname(path)))
    except ConfigError as error:
        raise InvalidEnvironment(error.problems) from error
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise InvalidEnvironment([Problem(path, 1, "expected one document, a mapping with kind: Environment")])
    return documents[0], list(twice)


def _meaning(files: FileTree, directory: str, path: str, document: Any, environment: Environment) -> list[Problem]:
    """Check what the models cannot: names that refer to each other, and files."""
    found: list[Problem] = []
    if environment.name != posixpath.basename(directory):
        line = line_of(document, ("metadata", "name"))
        expected = f"its directory is {posixpath.basename(directory)}: give both the same name"
        found.append(Problem(path, line, f"metadata.name is {environment.name}", expected))
    found += _components(files, directory, path, document, environment)
    found += _cycles(path, environment)
    found += _rules(files, path, document, environment)
    known = [component.name for component in environment.spec.components]
    for index, window in enumerate(environment.policy.windows):
        for position, name in enumerate(window.components):
            if name not in known:
                line = line_of(document, ("spec", "policy", "windows", index, "components", position))
                found.append(
                    Problem(
                        path,
                        line,
                        f"a window names {name}, which is no component",
                        f"components are {', '.join(known)}",
                    )
                )
    for index, ignore in enumerate(environment.policy.ignore):
        try:
            parse_path(ignore.path)
        except ConfigError as error:
            line = line_of(document, ("spec", "policy", "ignore", index, "path"))
            found += [Problem(path, line, problem.message) for problem in error.problems]
    return found


def _rules(files: FileTree, path: str, document: Any, environment: Environment) -> Iterator[Problem]:
    for index, item in enumerate(environment.spec.rules):
        target = rules_path(environment.name, item)
        outside = item.startswith("/") or target == ".." or target.startswith("../")
        if outside or not (files.is_dir(target) or files.is_file(target)):
            wrong = f"rules {item} leads out of the repository" if outside else f"there are no rules {target}"
            expected = "expected a file of kind: RuleSet, or a directory of such files"
            yield Problem(path, line_of(document, ("spec", "rules", index)), wrong, expected)


def _components(
    files: FileTree, directory: str, path: str, document: Any, environment: Environment
) -> Iterator[Problem]:
    names: dict[str, int] = {}
    known = [component.name for component in environment.spec.components]
    for index, component in enumerate(environment.spec.components):
        here = ("spec", "components", index)
        line = line_of(document, (*here, "name"))
        if component.name in names:
            yield Problem(
                path, line, f"component {component.name} is given twice", f"first in line {names[component.name]}"
            )
        names.setdefault(component.name, line)
        for position, name in enumerate(component.depends_on):
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"components are {', '.join(known)}"
                place = line_of(document, (*here, "dependsOn", position))
                yield Problem(path, place, f"component {component.name} depends on {name}, which is no component", hint)
        line = line_of(document, (*here, "path"))
        try:
            wrong = _path_problem(files, directory, component.path)
        except ConfigError as error:
            yield from (replace(problem, via=(*problem.via, f"{path}:{line}")) for problem in error.problems)
            continue
        if wrong:
            yield Problem(path, line, f"component {component.name}: {wrong}")


def _path_problem(files: FileTree, directory: str, path: str) -> str:
    target = posixpath.normpath(posixpath.join(directory, path))
    if path.startswith("/") or target == ".." or target.startswith("../"):
        return f"path {path} leads out of the repository"
    if not files.is_dir(target):
        return f"path {path} is no directory: there is no {target}"
    if not any(files.is_file(f"{target}/{name}") for name in KUSTOMIZATIONS):
        return f"path {path} is no Kustomize directory: expected {target}/{KUSTOMIZATIONS[0]}"
    return ""


def _cycles(path: str, environment: Environment) -> Iterator[Problem]:
    """Name each circle of dependsOn once, with the line of every edge."""
    lines = environment.lines
    needs = {component.name: component.depends_on for component in environment.spec.components}
    done: set[str] = set()
    for start in needs:
        circle = _circle(start, needs, done)
        if circle:
            edges = list(zip(circle, [*circle[1:], circle[0]], strict=True))
            told = ", ".join(f"{one} needs {other} (line {lines[one, other]})" for one, other in edges)
            yield Problem(path, lines[edges[0]], f"components need each other in a circle: {told}", "take one edge out")


def _needs(document: Any, spec: Spec) -> dict[tuple[str, str], int]:
    """Return the line of each `dependsOn`, by component and what it needs."""
    return {
        (component.name, name): line_of(document, ("spec", "components", index, "dependsOn", position))
        for index, component in enumerate(spec.components)
        for position, name in enumerate(component.depends_on)
    }


def _kinds(document: Any, policy: Policy) -> Iterator[NamedKind]:
    """Yield the kinds that a policy names; not those that are protected where it says nothing."""
    protect = ("spec", "policy", "deletions", "protect")
    if policy.deletions.protect != Deletions().protect:
        for index, kind in enumerate(policy.deletions.protect):
            yield NamedKind(kind, format_path(protect[1:]), line_of(document, (*protect, index)))
    for index, ignore in enumerate(policy.ignore):
        steps = ("spec", "policy", "ignore", index, "kind")
        yield NamedKind(ignore.kind, format_path(steps[1:]), line_of(document, steps))


def _circle(start: str, needs: dict[str, tuple[str, ...]], done: set[str]) -> list[str]:
    """Return a circle that can be reached from a component; what was looked at is added to `done`."""
    trail: list[str] = []
    stack = [(start, iter(needs.get(start, ())))]
    if start in done:
        return []
    trail.append(start)
    while stack:
        name, rest = stack[-1]
        following = next(rest, None)
        if following is None:
            done.add(name)
            stack.pop()
            trail.pop()
        elif following in trail:
            done.update(trail)
            return trail[trail.index(following) :]
        elif following in needs and following not in done:
            trail.append(following)
            stack.append((following, iter(needs[following])))
    return []
