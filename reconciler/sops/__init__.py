"""Secrets that stand in git encrypted by SOPS: opened by the real `sops`, only where a plan is made, only where the key is.

Kustomize takes an encrypted file as it is, so every transformer works on it. What is opened is the value: each encrypted
text is found in the file that it comes from, that file is decrypted as a whole (its checksum is verified), and the text
is replaced by what it stands for. https://getsops.io

What opens them (`open`, `program`) is loaded only where there are any.
"""

from reconciler.sops.encrypted import encrypted, sealed

__all__ = ["encrypted", "sealed"]
