"""One `helm template`, with nothing around it.

Helm gets the chart in a directory of its own, an empty HOME, no kubeconfig, no variable of ours, and, where the kernel
lets us, no network: not even an interface. It has limits of time, memory and output. Nothing of it stays.
"""

from __future__ import annotations

import functools
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from reconciler.errors import ChartError

if TYPE_CHECKING:
    from reconciler.helm.program import Program
    from reconciler.model.charts import Template

STDERR_BYTES: Final = 1 << 16
NOWHERE: Final = "http://127.0.0.1:9"  # the discard port: for whatever asks a proxy where there is a network


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use: seconds of the clock, bytes of output, bytes of memory (address space)."""

    seconds: float = 60
    output: int = 64 << 20
    memory: int = 8 << 30


LIMITS: Final = Limits()


def template(program: Program, request: Template, limits: Limits) -> str:
    """Return what Helm prints; raises ChartError with what it says."""
    try:
        with tempfile.TemporaryDirectory(prefix="reconciler-helm-") as name:  # made with mode 0700
            folder = Path(name)
            arguments = _written(request, folder)
            command = (*_isolated(), program.path, *arguments)
            return _run(command, folder, limits)
    except OSError as error:
        raise ChartError(f"helm cannot be run: {error}") from error


def _written(request: Template, folder: Path) -> list[str]:
    """Write a chart and its values, and return the arguments for them (Kustomize's `AsHelmArgs`).

    Kustomize says `--generate-name` where there is no name, which `helm template` ignores: the release is then called
    release-name. Here it is said outright.
    """
    chart = folder / "chart"
    for path, content in request.files:
        file = chart / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (folder / "home").mkdir()
    arguments = ["template"]
    if request.release:
        arguments.append(request.release)
    elif not request.name_template:
        arguments.append("release-name")
    arguments.append(str(chart))
    for number, content in enumerate(request.values):
        file = folder / f"values-{number}.yaml"
        file.write_bytes(content)
        arguments += ["--values", str(file)]
    flags = {"--namespace": request.namespace, "--name-template": request.name_template}
    for flag, value in (flags | {"--kube-version": request.kube_version}).items():
        arguments += [f"{flag}={value}"] if value else []
    arguments += [f"--api-versions={version}" for version in request.api_versions]
    switches = {"--include-crds": request.include_crds, "--skip-tests": request.skip_tests}
    return arguments + [flag for flag, on in (switches | {"--no-hooks": request.skip_hooks}).items() if on]


@functools.cache
def _isolated() -> tuple[str, ...]:
    """Return the command that takes the network away; none where the system has no such command, or refuses it."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    for flags in (("--map-root-user", "--net"), ("--net",)):
        command = (unshare, *flags, "--")
        if not subprocess.run((*command, "true"), capture_output=True, check=False).returncode:
            return command
    return ()


def _environment(folder: Path) -> dict[str, str]:
    """Return the variables that Helm sees: none of ours but PATH."""
    home = folder / "home"
    places = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(folder),
        "KUBECONFIG": str(home / "no-kubeconfig"),
        **{place: str(home / place.lower()) for place in (*places, "XDG_DATA_HOME")},
        **dict.fromkeys(proxies, NOWHERE),
    }


def _run(command: tuple[str, ...], folder: Path, limits: Limits) -> str:
    with (folder / "stderr").open("w+b") as errors:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        late = threading.Event()

        def end() -> None:
            late.set()
            _kill(process)

        timer = threading.Timer(limits.seconds, end)
        timer.start()
        try:
            _limit(process, limits)
            assert process.stdout is not None  # noqa: S101 - PIPE
            output = process.stdout.read(limits.output + 1)
            if len(output) > limits.output:
                raise ChartError(f"the chart renders to more than {limits.output >> 20} MiB")
            code = process.wait()
        finally:
            timer.cancel()
            _kill(process)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if late.is_set():
            raise ChartError(f"helm did not end within {limits.seconds:g} s: it was ended")
        if code:
            raise ChartError(_words(errors) or f"helm ends with {code}, and says nothing")
    try:
        return output.decode()
    except UnicodeDecodeError as error:
        raise ChartError(f"the chart renders to what is no UTF-8: {error}") from error


def _limit(process: subprocess.Popen[bytes], limits: Limits) -> None:
    """Bound the memory, where the system can do that for a process that runs."""
    prlimit = getattr(resource, "prlimit", None)
    if prlimit is not None:
        try:
            prlimit(process.pid, resource.RLIMIT_AS, (limits.memory, limits.memory))
        except ProcessLookupError:
            return  # it has ended already


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it started."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def _words(errors: IO[bytes]) -> str:
    """Return the end of what was said on stderr."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - STDERR_BYTES))
    return errors.read().decode(errors="replace").strip()
