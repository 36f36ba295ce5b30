"""Stores in rclone's words: the remote `R:`, and a directory in the place of a store."""

import secrets
from base64 import urlsafe_b64encode
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from cloudcopy.adapters.sandbox.beneath import open_target
from cloudcopy.domain.connection import PROVIDERS, Backend
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.paths import InstancePath, RemotePath

REMOTE: Final = "R"  # the section's name in the configuration of every copy
_PATH: Final = "path"
_OBSCURED: Final = {each.backend: each.obscured for each in PROVIDERS.values() if each.obscured}
_BUCKETED: Final = frozenset(each.backend for each in PROVIDERS.values() if each.buckets)


# fs/config/obscure/obscure.go of rclone: it keeps passwords from being read over a shoulder only.
_OBSCURING_KEY: Final = bytes.fromhex(
    "9c935b48730a554d6bfd7c63c886a92bd390198eb8128afbf4de162b8b95f638"
)
_BLOCK: Final = 16


def obscured(backend: Backend) -> Backend:
    """The same store with its passwords in rclone's reversible encoding, where it wants that.

    Done here, because to ask rclone for it is to start an rclone for each password.
    """
    wanted = _OBSCURED.get(backend.type, frozenset()) & backend.options.keys()
    if not wanted:
        return backend
    encoded = {name: _obscure(backend.options[name]) for name in wanted}
    return replace(backend, options={**backend.options, **encoded})


def _obscure(plain: str) -> str:
    start = secrets.token_bytes(_BLOCK)
    box = Cipher(AES(_OBSCURING_KEY), CTR(start)).encryptor()
    boxed = box.update(plain.encode()) + box.finalize()
    return urlsafe_b64encode(start + boxed).rstrip(b"=").decode()


def has_buckets(backend: Backend) -> bool:
    """Whether the first segment of a path in this store is a bucket."""
    return backend.type in _BUCKETED


def store_directory(backend: Backend, allowed: Path | None, *, make: bool) -> Path | None:
    """Where a store of the kind `local` lies on this host; None for every other kind.

    Raises:
        Invalid: this agent has no directory for such stores, or `path` lies outside of it.
    """
    if backend.type != "local":
        return None
    wanted = backend.options[_PATH]
    if allowed is None:
        raise Invalid(
            "path",
            "this machine's agent allows no local directory as a store",
            code="local_store_refused",
            next=("Start the agent with --local-store DIR.",),
        )
    place = allowed / wanted  # an absolute path stands for itself
    if not place.is_relative_to(allowed):
        raise Invalid(
            "path",
            "lies outside of the directory that this machine's agent allows for local stores",
            code="local_store_refused",
            next=("Give a path relative to it, or start the agent with another --local-store.",),
        )
    path = InstancePath.parse(str(place.relative_to(allowed)), field="path")
    if make:
        allowed.mkdir(parents=True, exist_ok=True)
        with open_target(allowed, path) as shown:
            return shown.host_path
    return allowed / path.value


def cloud(store: str | None, path: RemotePath, *, directory: bool = True) -> str:
    """`path` as an rclone file system.

    The trailing slash keeps rclone from asking the store whether the path is a file,
    which a credential that is scoped to a prefix may not ask.
    """
    root = f"{store}/" if store else f"{REMOTE}:"
    return f"{root}{path.value}/" if directory and path.value else f"{root}{path.value}"
