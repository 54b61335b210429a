"""The program `sops`: found, and asked to decrypt one file."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Final

from reconciler.errors import SourceError

VARIABLE: Final = "RECONCILER_SOPS"
TIMEOUT_SECONDS: Final = 60  # of one file; a key may be asked of a service
GET_IT: Final = f"install sops 3, or name the program by {VARIABLE}"


@dataclass(frozen=True, slots=True)
class Sops:
    """The program. Where the keys are it knows from the environment (SOPS_AGE_KEY_FILE and the like)."""

    path: str

    @classmethod
    def find(cls) -> Sops:
        """Return the sops of this machine; raises SourceError where there is none."""
        named = os.environ.get(VARIABLE) or "sops"
        path = shutil.which(named)
        if path is None:
            raise SourceError(f"there is no program {named}: {GET_IT}")
        return cls(path)

    def decrypt(self, file: str, text: bytes) -> str:
        """Return a file's text, decrypted; raises SourceError with what sops says. Nothing is written anywhere."""
        command = (
            self.path,
            "decrypt",
            "--input-type",
            "yaml",
            "--output-type",
            "yaml",
            "--filename-override",
            file,
            "/dev/stdin",
        )
        try:
            done = subprocess.run(command, input=text, capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SourceError(f"{self.path} cannot decrypt {file}: {error}") from error
        if done.returncode:
            words = " ".join(done.stderr.decode(errors="replace").split()) or f"it ends with {done.returncode}"
            hint = "the key has to be where sops looks for it, e.g. SOPS_AGE_KEY_FILE"
            raise SourceError(f"{file} cannot be decrypted: {words} ({hint})")
        return done.stdout.decode()
