"""`reconciler validate [ENV...]`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from reconciler.cli.exits import Exit
from reconciler.cli.invocation import environment_names, output_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.cli.checkout import Workspace
    from reconciler.cli.invocation import Invocation, Output
    from reconciler.environment import Environment
    from reconciler.errors import Problem
    from reconciler.model.resource import Desired


@click.command
@click.argument(
    "environments",
    nargs=-1,
    metavar="[ENV]...",
    shell_complete=environment_names,
    help="The environments; all where none is named.",
)
@output_option
@click.pass_obj
def validate(invocation: Invocation, environments: tuple[str, ...], output: Output) -> int:
    """Check everything that can be checked without a cluster; tell all errors at once."""
    from reconciler import environment as environment_files
    from reconciler.check import overridden
    from reconciler.cli.checkout import open_workspace
    from reconciler.cli.printing import print_document, print_warnings
    from reconciler.errors import UsageError

    workspace = open_workspace(invocation)
    names = environments or environment_files.discover(workspace.files)
    if not names:
        raise UsageError("there is no environments/<name>/environment.yaml in this repository")
    found: dict[str, tuple[Problem, ...]] = {}
    rendered: list[Desired] = []
    warnings: list[str] = []
    for name in names:
        found[name], warned, desired = _problems(workspace, name)
        rendered += [desired] if desired is not None else []
        warnings += [*(desired.warnings if desired is not None else ()), *map(str, warned)]
    if len(rendered) == len(environment_files.discover(workspace.files)):
        warnings += map(str, overridden(rendered))
    print_warnings(tuple(dict.fromkeys(warnings)))
    count = len({problem for problems in found.values() for problem in problems})
    if output != "text":
        print_document({name: [_document(item) for item in problems] for name, problems in found.items()}, output)
    else:
        for problem in dict.fromkeys(problem for problems in found.values() for problem in problems):
            sys.stdout.write(f"{problem}\n")
        sys.stdout.write(f"{', '.join(names)}: {f'{count} problems' if count != 1 else '1 problem'}\n")
    return Exit.INVALID if count else Exit.OK


def _problems(workspace: Workspace, name: str) -> tuple[tuple[Problem, ...], tuple[Problem, ...], Desired | None]:
    """Return what is wrong with an environment, what its rules only warn of, and what it renders if it does."""
    from reconciler import pipeline
    from reconciler.check import broken, check, misnamed
    from reconciler.cli.checkout import open_environment
    from reconciler.environment.rules import load_rules
    from reconciler.errors import ConfigError
    from reconciler.generated import expanded
    from reconciler.sops import sealed

    desired = None
    try:
        checkout = open_environment(workspace, name)
        checks = tuple(_expressions(checkout.environment))
        desired = pipeline.render(checkout, thorough=True)
        errors, warned = broken(load_rules(workspace.files, checkout.environment), checkout.environment, desired)
        warned = (*misnamed(checkout.environment, desired)[1], *warned)
        problems = (*checks, *check(expanded(sealed(desired))), *errors)
    except ConfigError as error:
        return error.problems, (), desired
    try:
        pipeline.order(desired, checkout.environment)
    except ConfigError as error:
        problems = (*problems, *error.problems)
    return problems, warned, desired


def _expressions(environment: Environment) -> Iterator[Problem]:
    """Yield the health checks that are no CEL."""
    from reconciler.errors import ConfigError, Problem
    from reconciler.health.custom import require_valid

    for component in environment.spec.components:
        try:
            require_valid(component.health_checks)
        except ConfigError as error:
            yield Problem(environment.file, 0, f"component {component.name}: {error}")


def _document(problem: Problem) -> dict[str, object]:
    return {"file": problem.file, "line": problem.line, "message": problem.message, "hint": problem.hint}
