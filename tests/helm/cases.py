"""Charts, and kustomizations that use them: what `kubectl kustomize --enable-helm` makes of each is what we have to make."""

from __future__ import annotations

from typing import Final

CHART: Final = """\
apiVersion: v2
name: web
version: 1.2.3
appVersion: "9"
"""
VALUES: Final = """\
# what the chart comes with
image: {repository: nginx, tag: "1.27"}
replicas: 2
service:
  type: ClusterIP
  ports: [{name: http, port: 80}]
resources: {}
labels:
kept: null
config:
  level: info
  deep: {one: 1, two: 2}
flag: true
ratio: 1.5
big: 1000000
"""
DEPLOYMENT: Final = """\
{{- if gt (int .Values.replicas) 0 }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "web.name" . }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "web.labels" . | nindent 4 }}
    tier: front
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {app: {{ .Release.Name | quote }}}
  template:
    metadata:
      annotations:
        checksum: {{ include (print $.Template.BasePath "/config.yaml") . | sha256sum }}
      labels: {app: {{ .Release.Name | quote }}}
    spec:
      containers:
        - name: web
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          resources: {{- toYaml .Values.resources | nindent 12 }}
          env:
            {{- range $key, $value := .Values.config.deep }}
            - name: {{ $key | upper }}
              value: {{ $value | quote }}
            {{- end }}
          {{- with .Values.extra }}
          args:
            {{- toYaml . | nindent 12 }}
          {{- end }}
{{- end }}
"""
CONFIG: Final = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "web.name" . }}
data:
  level: {{ .Values.config.level }}
  flag: {{ .Values.flag | quote }}
  ratio: {{ .Values.ratio | quote }}
  big: {{ .Values.big | quote }}
  kept: {{ hasKey .Values "kept" | quote }}
  labels: {{ hasKey .Values "labels" | quote }}
  text: |
    first {{ .Values.config.level }}
    release: {{ .Release.Name }} in {{ .Release.Namespace }} as {{ .Release.Service }}
    {{- if .Values.image.tag }}
    tag: {{ .Values.image.tag }}
    {{- end }}
  all: |-
    {{- toYaml .Values | nindent 4 }}
  file: {{ .Files.Get "files/motd.txt" | quote }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "web.name" . }}
spec:
  type: {{ .Values.service.type }}
  ports:
    {{- range .Values.service.ports }}
    - {name: {{ .name }}, port: {{ .port }}}
    {{- end }}
"""
HELPERS: Final = """\
{{- define "web.name" -}}
{{ .Release.Name }}-{{ .Chart.Name }}
{{- end -}}
{{- define "web.labels" -}}
app: {{ .Release.Name }}
version: {{ .Chart.AppVersion | quote }}
{{- end }}
"""
HOOKS: Final = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-migrate
  annotations:
    helm.sh/hook: pre-install
---
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}-test
  annotations:
    "helm.sh/hook": test
"""
CAPABILITIES: Final = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: capabilities
data:
  kube: {{ .Capabilities.KubeVersion.Version }}
  monitors: {{ .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" | quote }}
  {{- if semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version }}
  new: "yes"
  {{- end }}
"""
DEFINITION: Final = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: things.example.com
spec:
  group: example.com
  names: {kind: Thing, plural: things}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: others.example.com
spec:
  group: example.com
"""


def chart(at: str = "charts/web", **changed: str) -> dict[str, str]:
    """Return the files of the chart in a directory."""
    files = {
        "Chart.yaml": CHART,
        "values.yaml": VALUES,
        "templates/deployment.yaml": DEPLOYMENT,
        "templates/config.yaml": CONFIG,
        "templates/_helpers.tpl": HELPERS,
        "templates/hooks.yaml": HOOKS,
        "templates/capabilities.yaml": CAPABILITIES,
        "templates/NOTES.txt": "Thank you for {{ .Chart.Name }}\n",
        "crds/things.yaml": DEFINITION,
        "files/motd.txt": "welcome\n",
        ".helmignore": "*.orig\n",
        "templates/old.yaml.orig": "not YAML: [\n",
    }
    return {f"{at}/{path}": text for path, text in {**files, **changed}.items()}


INLINE: Final = """
    valuesInline:
      image: {tag: "2.0"}
      replicas: 3
      config: {level: debug, deep: {three: 3}}
      service: {ports: [{name: metrics, port: 9090}]}
      kept: 1
      flag: null
      fresh: {key: value, gone: null}
"""
SUB: Final = {
    "charts/web/Chart.yaml": f"{CHART}dependencies: [{{name: sub, version: 0.1.0, condition: sub.enabled}}]\n",
    "charts/web/values.yaml": f"{VALUES}sub: {{enabled: true, word: parent}}\nglobal: {{word: everywhere}}\n",
    "charts/web/charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
    "charts/web/charts/sub/values.yaml": "word: own\n",
    "charts/web/charts/sub/templates/c.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: sub\n"
        "data:\n  word: {{ .Values.word }}\n  all: {{ .Values.global.word }}\n"
    ),
}
PLUGIN: Final = """\
apiVersion: builtin
kind: HelmChartInflationGenerator
metadata: {name: any}
name: web
releaseName: plugged
namespace: theirs
includeCRDs: true
valuesInline: {replicas: 7}
"""
MORE: Final = "replicas: 4\nimage: {tag: more}\nconfig: {deep: {two: null, four: 4}}\n"

CASES: Final[dict[str, dict[str, str]]] = {
    "plain": {**chart(), "kustomization.yaml": "helmCharts:\n  - name: web\n"},
    "released": {
        **chart(),
        "kustomization.yaml": "helmCharts:\n  - {name: web, releaseName: shop, namespace: theirs, skipTests: true}\n",
    },
    "override": {**chart(), "kustomization.yaml": f"helmCharts:\n  - name: web{INLINE}"},
    "merge": {**chart(), "kustomization.yaml": f"helmCharts:\n  - name: web\n    valuesMerge: merge{INLINE}"},
    "replace": {**chart(), "kustomization.yaml": f"helmCharts:\n  - name: web\n    valuesMerge: replace{INLINE}"},
    "directives": {
        **chart(),
        "kustomization.yaml": "helmCharts:\n  - name: web\n    valuesInline:\n"
        "      config: {deep: {$patch: replace, six: 6}}\n      image: {$patch: delete}\n",
    },
    "values file": {
        **chart(),
        "mine.yaml": "replicas: 5\nkept:\nflag: null\nconfig:\n  level: warn\n",
        "kustomization.yaml": "helmCharts:\n  - {name: web, valuesFile: mine.yaml}\n",
    },
    "values file and inline": {
        **chart(),
        "mine.yaml": "replicas: 5\nconfig:\n  level: warn\n  deep: {one: 11}\n",
        "kustomization.yaml": f"helmCharts:\n  - name: web\n    valuesFile: mine.yaml{INLINE}",
    },
    "nulls of a values file": {
        **chart(),
        "mine.yaml": "kept:\nflag: null\nratio: ~\nconfig:\n  level: warn\n  deep: {one: null, two: }\n",
        "kustomization.yaml": "helmCharts:\n  - {name: web, valuesFile: mine.yaml, valuesInline: {replicas: 1, big: 1.50}}\n",
    },
    "more values files": {
        **chart(),
        "more.yaml": MORE,
        "last.yaml": "image: {tag: last}\n",
        "kustomization.yaml": f"helmCharts:\n  - name: web\n    additionalValuesFiles: [more.yaml, last.yaml]{INLINE}",
    },
    "definitions and no hooks": {
        **chart(),
        "kustomization.yaml": "helmCharts:\n  - {name: web, includeCRDs: true, skipHooks: true}\n",
    },
    "capabilities": {
        **chart(),
        "kustomization.yaml": "helmCharts:\n  - name: web\n    kubeVersion: 1.29.4\n"
        "    apiVersions: [monitoring.coreos.com/v1, example.com/v1]\n",
    },
    "name template": {
        **chart(),
        "kustomization.yaml": 'helmCharts:\n  - {name: web, nameTemplate: "{{ print 1 }}-made"}\n',
    },
    "subchart": {**chart(), **SUB, "kustomization.yaml": "helmCharts:\n  - name: web\n"},
    "subchart switched off": {
        **chart(),
        **SUB,
        "kustomization.yaml": "helmCharts:\n  - {name: web, valuesInline: {sub: {enabled: false}}}\n",
    },
    "globals": {
        **chart("my/charts/web"),
        "kustomization.yaml": "helmGlobals: {chartHome: my/charts, configHome: .config}\nhelmCharts:\n  - name: web\n",
    },
    "of a repository, but there": {
        **chart("charts/web-1.2.3/web"),
        "kustomization.yaml": "helmCharts:\n  - {name: web, version: 1.2.3, repo: 'https://nowhere.example'}\n",
    },
    "the old field": {
        **chart("old/web"),
        "kustomization.yaml": "helmChartInflationGenerator:\n"
        "  - {chartName: web, chartHome: old, releaseName: former, releaseNamespace: unused, valuesLocal: {replicas: 9}}\n",
    },
    "transformed": {
        **chart(),
        "kustomization.yaml": "namespace: ours\nnamePrefix: pre-\nnameSuffix: -post\n"
        "labels: [{pairs: {team: a}, includeSelectors: true}]\ncommonAnnotations: {by: us}\n"
        "images: [{name: nginx, newTag: patched}]\nreplicas: [{name: release-name-web, count: 8}]\n"
        "configMapGenerator: [{name: made, literals: [a=b]}]\n"
        "helmCharts:\n  - name: web\n    includeCRDs: true\n"
        "patches:\n  - target: {kind: Service}\n    patch: |-\n      - {op: add, path: /spec/x, value: 'y'}\n",
    },
    "a plugin": {
        **chart(),
        "kustomization.yaml": "namespace: ours\ngenerators: [plugin.yaml]\n",
        "plugin.yaml": PLUGIN,
    },
    "two charts": {
        **chart(),
        **{f"charts/other/{path.removeprefix('charts/web/')}": text for path, text in chart().items()},
        "charts/other/Chart.yaml": CHART.replace("web", "other"),
        "charts/other/templates/capabilities.yaml": "",
        "kustomization.yaml": "helmCharts:\n  - {name: web, releaseName: a}\n  - {name: other, releaseName: b}\n",
    },
    "namespace of an overlay": {
        **chart("base/charts/web"),
        "base/kustomization.yaml": "resources: [account.yaml]\nhelmCharts:\n  - name: web\n",
        "base/account.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot}\n",
        "kustomization.yaml": "namespace: upper\nresources: [base]\n",
    },
    "empty values": {
        **chart(**{"values.yaml": VALUES}),
        "empty.yaml": "",
        "kustomization.yaml": ("helmCharts:\n  - {name: web, valuesFile: empty.yaml}\n"),
    },
    "empty values and inline": {
        **chart(),
        "empty.yaml": "",
        "kustomization.yaml": (f"helmCharts:\n  - name: web\n    valuesFile: empty.yaml{INLINE}"),
    },
    "a chart of a neighbour": {
        **chart("shared/web"),
        "app/values.yaml": "replicas: 1\n",
        "app/kustomization.yaml": "helmGlobals: {chartHome: ../shared}\nhelmCharts:\n"
        "  - {name: web, valuesFile: values.yaml}\n",
        "kustomization.yaml": "resources: [app]\n",
    },
    "no values file": {
        **{path: text for path, text in chart().items() if not path.endswith("values.yaml")},
        "kustomization.yaml": "helmCharts:\n  - name: web\n",
    },
    "kinds differ": {
        **chart(),
        "kustomization.yaml": "helmCharts:\n  - {name: web, valuesInline: {image: text}}\n",
    },
    "twice the same": {**chart(), "kustomization.yaml": "helmCharts:\n  - name: web\n  - name: web\n"},
    "no chart": {"kustomization.yaml": "helmCharts:\n  - name: web\n"},
    "an unknown key": {**chart(), "kustomization.yaml": "helmCharts:\n  - {name: web, value: {a: b}}\n"},
    "an illegal merge": {**chart(), "kustomization.yaml": "helmCharts:\n  - {name: web, valuesMerge: both}\n"},
    "values of elsewhere": {
        **chart("shared/web"),
        "app/kustomization.yaml": "helmGlobals: {chartHome: ../shared}\nhelmCharts:\n  - name: web\n",
        "kustomization.yaml": "resources: [app]\n",
    },
    "a name and a template": {
        **chart(),
        "kustomization.yaml": "helmCharts:\n  - {name: web, releaseName: a, nameTemplate: b}\n",
    },
    "no YAML": {
        **chart(**{"templates/config.yaml": CONFIG.replace("data:\n", "data: [\n")}),
        "kustomization.yaml": "helmCharts:\n  - name: web\n",
    },
    "broken template": {
        **chart(**{"templates/config.yaml": CONFIG.replace(".Values.config.level }}", ".Values.a.b.c }}", 1)}),
        "kustomization.yaml": "helmCharts:\n  - name: web\n",
    },
}
