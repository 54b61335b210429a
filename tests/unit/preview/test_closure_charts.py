"""What a preview compares where charts are rendered: their files, their pins, and nothing else."""

from __future__ import annotations

import pytest

from reconciler.preview.closure import Closures
from tests.unit.preview.trees import Files

PLUGIN = "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: x}\nname: web\nchartHome: mine\n"
CHART = {
    "Chart.yaml": "name: web\n",
    "values.yaml": "",
    "templates/kustomization.yaml": "a: template of this name\n",
    "templates/deep/a.yaml": "a: 1\n",
}


@pytest.mark.parametrize(
    ("home", "kustomization", "more"),
    [
        ("app/charts/web", "helmCharts: [{name: web}]\n", {}),
        ("app/charts/web-1/web", "helmCharts: [{name: web, version: '1', repo: 'https://r.example'}]\n", {}),
        ("shared/web", "helmGlobals: {chartHome: ../shared}\nhelmCharts: [{name: web}]\n", {}),
        ("app/old/web", "helmChartInflationGenerator: [{chartName: web, chartHome: old}]\n", {}),
        ("app/mine/web", "generators: [plugin.yaml]\n", {"app/plugin.yaml": PLUGIN}),
        ("app/mine/web", "generators:\n  - |\n    " + PLUGIN.replace("\n", "\n    "), {}),
    ],
)
def test_files_of_charts_are_compared(home: str, kustomization: str, more: dict[str, str]) -> None:
    files = {f"{home}/{path}": text for path, text in CHART.items()}
    tree = Files({"app/kustomization.yaml": kustomization, **files, **more, "vendor.lock.yaml": ""})
    found = Closures(tree).of("app")
    assert found >= {*files, "vendor.lock.yaml"}


def test_charts_that_nobody_asks_for_are_not_compared() -> None:
    files = {f"app/charts/web/{path}": text for path, text in CHART.items()}
    tree = Files({"app/kustomization.yaml": "resources: []\n", **files, "vendor.lock.yaml": ""})
    assert Closures(tree).of("app") == {"app", "app/kustomization.yaml"}
