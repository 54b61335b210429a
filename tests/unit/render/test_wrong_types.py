"""A value of a wrong type, anywhere: an error with file and line, or nothing to complain of, and never a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import yaml
from reconciler.errors import ConfigError, Problem
from reconciler.model.origin import Source
from reconciler.render.build import build
from tests.fakes.files import Files
from tests.fuzz.targets import AROUND, divided

SEEDS: Final = Path(__file__).parents[2] / "fuzz" / "corpus" / "kustomization"
WRONG: Final[tuple[Any, ...]] = (
    *(None, True, 0, -1, 1 << 70, 1.5, float("inf"), "", "x", "a\nb", "$(NAME)", "*", "(", "/", "..", "a: [b]\nc:"),
    *(
        [],
        {},
        [None],
        [1],
        ["x"],
        [[]],
        [{}],
        {"x": None},
        {"x": 1},
        {"x": []},
        {"name": {}},
        {"name": 1},
        {"kind": []},
    ),
    *(
        {"path": []},
        [{"name": []}],
        [{"path": "x", "kind": 1}],
        {"path": "deployment.yaml"},
        ["deployment.yaml"],
        ["."],
    ),
)
Steps = tuple[str | int, ...]


def nodes(value: Any, steps: Steps = ()) -> list[Steps]:
    """Return the place of every value of a tree."""
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [steps, *(found for step, item in inner for found in nodes(item, (*steps, step)))]


def documents(path: str, text: bytes | str) -> list[Any]:
    """Return what a file of YAML holds."""
    return yaml.parse(text, Source(path, ""), yaml.Dialect.PATCH)


def project(seed: str) -> dict[str, bytes | str]:
    """Return the files of a seed and those around it."""
    return {**AROUND, **divided((SEEDS / seed).read_bytes())}


def places() -> list[tuple[str, str, Steps]]:
    """Return every value of every YAML file of every seed."""
    return [
        (seed.name, path, steps)
        for seed in sorted(SEEDS.iterdir())
        for path, text in project(seed.name).items()
        if path.endswith(".yaml") and seed.name in NAMED
        for steps in nodes(documents(path, text))
        if steps
    ]


NAMED: Final = ("everything.yaml", "deprecated.yaml", "plugins.yaml", "merges.yaml", "helm.yaml")
PLACES: Final = places()


def with_wrong(seed: str, path: str, steps: Steps, value: Any) -> dict[str, bytes | str]:
    """Return the files of a seed with another value in one place."""
    files = project(seed)
    root: Any = documents(path, files[path])
    holder = root
    for step in steps[:-1]:
        holder = holder[step]
    holder[steps[-1]] = value
    files[path] = "---\n".join(yaml.dump(document) for document in root)
    return files


def problems(files: dict[str, bytes | str]) -> tuple[Problem, ...]:
    """Return what a build complains of."""
    try:
        build(Files(files), "", restrict_loads=False, thorough=True, settled=True)
    except ConfigError as error:
        return error.problems
    return ()


@given(st.sampled_from(PLACES), st.sampled_from(WRONG))
def test_a_value_of_any_type_in_any_place(place: tuple[str, str, Steps], value: Any) -> None:
    """Whatever is put anywhere is taken or refused; what is refused is told with its file."""
    for problem in problems(with_wrong(*place, value)):
        assert problem.file
        assert problem.message


@pytest.mark.parametrize("value", WRONG, ids=repr)
@pytest.mark.parametrize("seed", NAMED)
def test_a_value_of_any_type_in_any_field_of_a_kustomization(seed: str, value: Any) -> None:
    """Each field by itself, all of them: what is refused is told with file and line."""
    for name, path, steps in PLACES:
        if name == seed and path == "kustomization.yaml" and steps != (0,):
            for problem in problems(with_wrong(name, path, steps, value)):
                assert problem.file, (steps, problem)
                assert problem.line or "is empty" in problem.message, (steps, problem)


def test_all_wrong_types_are_told_at_once() -> None:
    """One run is enough to see all of them, each with its line."""
    text = "resources:\n- 1\nnamespace: [a]\nimages:\n- name: a\n  newTag: 1.0\nreplicas: {a: 1}\nlabels:\n- pairs: {a: on}\n"
    assert [str(problem) for problem in problems({"kustomization.yaml": text})] == [
        "kustomization.yaml:2: resources[0] has to be a string (put it in quotes)",
        "kustomization.yaml:3: namespace has to be a string",
        "kustomization.yaml:6: images[0].newTag has to be a string (put it in quotes)",
        "kustomization.yaml:7: replicas has to be a list",
        "kustomization.yaml:9: labels[0].pairs.a has to be a string (put it in quotes)",
    ]
