"""Two real nodes with the platform on them: what tests and the demo share."""

from __future__ import annotations

import json
import shlex
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from reconciler.sandbox import control, ready
from tests.nodes import images, outside
from tests.nodes.image import archive
from tests.nodes.repository import ENVIRONMENT, Repository
from tests.programs import REGISTRY, built
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.sandbox.control import Sandbox

NODES: Final = ("node-1", "node-2")
BEFORE_THE_REGISTRY: Final = (
    images.BUSYBOX,
    images.FLANNEL,
    images.FLANNEL_CNI_PLUGIN,
    images.NETWORK_POLICIES,
    images.COREDNS,
    images.LOCAL_PATH,
    images.REGISTRY,
    images.REGISTRY_NEXT,
)
"""What nodes have to have before there is a registry; everything else is pulled by way of the platform's caches."""
LEFT_OUT: Final = ("logging",)
"""Components that cannot do without an image that could not be built."""
RESOLVER: Final = "nameserver 10.96.0.10\nsearch cluster.local\n"


@dataclass(frozen=True, slots=True)
class Lab:
    """The sandbox, the repository that it follows, and the registry outside."""

    sandbox: Sandbox
    repository: Repository
    outside: str

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl on it."""
        return self.sandbox.run_kubectl(*arguments, stdin=stdin)

    def get(self, *arguments: str) -> Any:
        """Return what `kubectl get -o json` tells."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def on(self, node: str, *command: str, stdin: str = "") -> str:
        """Run a command in a node and return what it prints."""
        inside = control.entering(self.sandbox, node)
        done = subprocess.run((*inside, *command), input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{node}: {shlex.join(command)}: {done.stderr}"
        return done.stdout

    def deliver_node_files(self) -> None:
        """Put the files that git says nodes have where their first lines say, as bootstrapping would.

        Of those for the runtime only: kubelet and sysctl settings are the sandbox's own. What systemd-resolved would do
        with its file, the node's resolver is told instead.
        """
        rendered = yaml.safe_load_all(self.repository.run("render", ENVIRONMENT, "--component", "runtime"))
        files = next(item["data"] for item in rendered if item["kind"] == "ConfigMap")
        for text in files.values():
            path = text.removeprefix("# ").partition(": ")[0].partition(" ")[0]
            if path.startswith("/etc/containerd/certs.d/"):
                for node in NODES:
                    folder = path.rpartition("/")[0]
                    self.on(node, "sh", "-c", f"mkdir -p {folder} && cat > {path}", stdin=text)
        for node in NODES:
            self.on(node, "sh", "-c", "cat > /etc/resolv.conf", stdin=RESOLVER)

    def wait(self, what: str, seen: Callable[[], Any], seconds: float = 90) -> Any:
        """Wait until something is seen and return it."""
        return until(seen, what, seconds)

    def run_pod(self, name: str, node: str, *command: str, namespace: str = "default", image: str = "") -> None:
        """Run a Pod on a node and wait until it is Ready."""
        body = pod(name, node, command, image or images.BUSYBOX.reference)
        self.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(body))
        self.kubectl("wait", "-n", namespace, f"pod/{name}", "--for=condition=Ready", "--timeout=90s")

    def address(self, name: str, namespace: str = "default") -> str:
        """Return the address of a Pod."""
        return str(self.get("pod", name, "-n", namespace)["status"]["podIP"])

    def fetch(self, name: str, url: str, namespace: str = "default") -> str | None:
        """Return what a Pod gets from a URL; None where nothing comes within two seconds."""
        command = ("exec", "-n", namespace, name, "--", "busybox", "wget", "-q", "-T", "2", "-O", "-", url)
        kubectl = (str(self.sandbox.kubectl), "--kubeconfig", str(self.sandbox.kubeconfig))
        done = subprocess.run((*kubectl, *command), capture_output=True, text=True, check=False, timeout=60)
        return done.stdout if done.returncode == 0 else None

    @contextmanager
    def forwarded(self, namespace: str, target: str, port: int) -> Iterator[str]:
        """Forward a port of a Service or Pod to this machine, as people do to look at a web page; yield its URL."""
        kubectl = (str(self.sandbox.kubectl), "--kubeconfig", str(self.sandbox.kubeconfig))
        local = ready.free_ports(1)[0]
        command = (*kubectl, "port-forward", "-n", namespace, target, f"{local}:{port}")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                assert line.startswith("Forwarding"), line
                yield f"http://127.0.0.1:{local}"
            finally:
                process.terminate()


def pod(name: str, node: str, command: tuple[str, ...], image: str) -> dict[str, Any]:
    """Return a Pod of one container that fits into the level `restricted`."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": node},
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "main",
                    "image": image,
                    "command": list(command),
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }


SERVE: Final = (
    "busybox",
    "sh",
    "-c",
    "mkdir /tmp/w; hostname > /tmp/w/index.html; exec busybox httpd -f -p 8080 -h /tmp/w",
)
SLEEP: Final = ("busybox", "sleep", "86400")


@contextmanager
def running(name: str, folder: Path, tell: Callable[[str], None]) -> Iterator[Lab]:
    """Start two nodes without a network and a registry outside with all images; yield them with a repository for them."""
    program = built(REGISTRY, tell) / "registry"
    archives = {image: archive(image, tell) for image in images.IMAGES}
    sandbox = control.up(name, nodes=len(NODES), real=True, pod_network=False, tell=tell)
    try:
        assert sandbox.layout is not None
        for image in BEFORE_THE_REGISTRY:
            control.load(sandbox, archives[image], tell=tell)
        with outside.serving(program, folder / "outside", str(sandbox.layout.gateway)) as place:
            for image, path in archives.items():
                reference, _, tag = image.reference.rpartition(":")
                outside.push(place, path, reference.partition("/")[2], tag)
            repository = Repository(folder / "repository", name)
            repository.settle(place, LEFT_OUT)
            lab = Lab(sandbox, repository, place)
            lab.deliver_node_files()
            yield lab
    finally:
        control.down(name)


__all__ = ["ENVIRONMENT", "NODES", "SERVE", "SLEEP", "Lab", "running"]
