"""Charts rendered by the real helm, compared with what the real Kustomize makes of the same files with the same helm."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from reconciler import pipeline, yaml
from reconciler.errors import RenderError
from reconciler.model.tree import origin_at
from reconciler.render.build import build
from reconciler.report.origins import leaves
from reconciler.sandbox import places, programs
from reconciler.sandbox.versions import PROGRAMS
from reconciler.source.directory import DirectoryTree
from tests.helm.cases import CASES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.cluster

REFUSED: Final = {
    "empty values and inline": "kustomization.yaml:4: helmCharts[0] web: empty.yaml is empty (Kustomize merges",
    "no values file": "kustomization.yaml:2: helmCharts[0] web: the chart has no values.yaml (Kustomize wants",
    "kinds differ": "kustomization.yaml:2: helmCharts[0] web: valuesInline.image is of another kind",
    "twice the same": "kustomization.yaml:3: helmCharts[1] web: ConfigMap/capabilities is already there, from "
    "charts/web/templates/capabilities.yaml:1",
    "no chart": "kustomization.yaml:2: helmCharts[0] web: there is no chart charts/web (put the chart there",
    "an unknown key": "kustomization.yaml:2: helmCharts[0] web: unknown key value (there are ",
    "an illegal merge": "kustomization.yaml:2: helmCharts[0] web: valuesMerge is both (expected merge, ",
    "values of elsewhere": "app/kustomization.yaml:3: ../shared/web/values.yaml is not in or below app",
    "a name and a template": "kustomization.yaml:2: helmCharts[0] web: cannot set --name-template and also specify",
    "no YAML": "charts/web/templates/config.yaml: YAML parse error on web/templates/config.yaml: ",
    "broken template": "charts/web/templates/config.yaml:6: web/templates/deployment.yaml:17:21 executing",
}


@pytest.fixture(scope="session")
def kustomize() -> Path:
    """Return kubectl, which carries Kustomize 5.8."""
    kubectl = next(program for program in PROGRAMS if program.name == "kubectl")
    return programs.find(kubectl, places.programs_dir(), None, tell=print)


def written(files: Mapping[str, str], root: Path) -> Path:
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return root


@pytest.mark.parametrize("case", CASES)
def test_the_output_is_that_of_kustomize(case: str, helm: Path, kustomize: Path, tmp_path: Path) -> None:
    root = written(CASES[case], tmp_path / "repo")
    command = (kustomize, "kustomize", "--enable-helm", "--helm-command", helm, root)
    theirs = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    )
    tree = DirectoryTree(root)
    charts = pipeline.helm(command=str(helm), offline=True)
    if theirs.returncode:
        with pytest.raises(RenderError) as caught:
            build(tree, "", charts=charts)
        assert REFUSED[case] in str(caught.value)
        return
    assert case not in REFUSED
    ours = "---\n".join(yaml.dump(item.body) for item in build(tree, "", charts=charts).resources)
    assert ours == theirs.stdout


def test_the_chart_that_helm_begins_with(helm: Path, kustomize: Path, tmp_path: Path) -> None:
    """`helm create`, with everything switched on: the same output, and the values where they came from."""
    (tmp_path / "repo/charts").mkdir(parents=True)
    subprocess.run((helm, "create", tmp_path / "repo/charts/web"), check=True, env={"HOME": str(tmp_path)})
    inline = "{image: {tag: '9.9'}, service: {port: 8099}, ingress: {enabled: true}, autoscaling: {enabled: true}}"
    asks = f"helmCharts: [{{name: web, releaseName: rel, valuesInline: {inline}}}]\n"
    tree = DirectoryTree(written({"kustomization.yaml": asks}, tmp_path / "repo"))
    command = (kustomize, "kustomize", "--enable-helm", "--helm-command", helm, tmp_path / "repo")
    theirs = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    )
    resources = build(tree, "", charts=pipeline.helm(command=str(helm), offline=True)).resources
    assert "---\n".join(yaml.dump(item.body) for item in resources) == theirs.stdout
    given = {
        str(origin): origin.shadowed.value
        for item in resources
        for steps, _ in leaves(item.body)
        if (origin := origin_at(item.body, steps)) and origin.shadowed
    }
    assert given == {
        "charts/web/templates/deployment.yaml:41": "9.9",
        "charts/web/templates/deployment.yaml:45": 8099,
        "charts/web/templates/ingress.yaml:40": 8099,
        "charts/web/templates/service.yaml:10": 8099,
        "charts/web/templates/tests/test-connection.yaml:14": 8099,
    }
