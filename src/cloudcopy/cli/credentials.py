"""Secrets of a connection: where they may come from, and where not.

Never from the command line, which every user of the machine can read and the shell keeps.
They come from stdin as JSON, from named environment variables, or from a person who types
them unseen.
"""

import getpass
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cloudcopy.cli.exits import Refused

SECRETS: Final = frozenset(
    {
        "access_key_id", "secret_access_key", "session_token", "key", "pass", "token",
        "sas_url", "connection_string", "service_account_credentials", "client_secret",
        "key_pem", "key_file_pass", "access_token", "bearer_token",
    }
)  # fmt: skip
_B2_ACCOUNT: Final = "account"  # elsewhere it is a plain name
_B2: Final = ("b2", "backblaze")

# What is asked for when a person sits there and it was not given otherwise.
REQUIRED: Final[Mapping[str, Sequence[str]]] = {
    "s3": ("access_key_id", "secret_access_key"),
    "hf": ("access_key_id", "secret_access_key"),
    "b2": ("account", "key"),
    "backblaze": ("account", "key"),
    "dropbox": ("token",),
}
STANDARD_VARIABLES: Final[Mapping[str, str]] = {
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
}
_WAYS: Final = (
    "Give it as JSON on stdin: --secrets-stdin < secrets.json.",
    "Or from a variable: --secret-env NAME=VARIABLE (for S3 also --from-env).",
    "Or run the command in a terminal: it asks.",
)


def plain(cloud_type: str, words: Sequence[str]) -> dict[str, str]:
    """The options in ``["region=eu-west-1", ...]``.

    Raises:
        Refused: a word is no KEY=VALUE, or its key is a secret. Never quotes a value.
    """
    found: dict[str, str] = {}
    for word in words:
        key, given, value = word.partition("=")
        if not given:
            raise Refused("--param wants KEY=VALUE.", next=("E.g. --param region=eu-west-1.",))
        if key in SECRETS or (key == _B2_ACCOUNT and cloud_type.lower() in _B2):
            raise Refused(
                f"{key} is a secret and must not be on the command line.",
                next=(*_WAYS, "Consider this one exposed: your shell has it in its history."),
            )
        found[key] = value
    return found


def collect(
    cloud_type: str,
    environ: Mapping[str, str],
    *,
    stdin: bool,
    standard: bool,
    named: Sequence[str],
    ask: Callable[[str], str] = getpass.getpass,
) -> dict[str, str]:
    """The secrets, from everywhere the caller said; what is still missing is asked for.

    Args:
        stdin: Read a JSON object from stdin.
        standard: Take the variables that the AWS tools use.
        named: ``KEY=VARIABLE`` words.

    Raises:
        Refused: one is missing or cannot be read. Never quotes a value.
    """
    found: dict[str, str] = {}
    if standard:
        found |= _standard(cloud_type, environ)
    for word in named:
        key, given, variable = word.partition("=")
        if not (given and key):
            raise Refused("--secret-env wants KEY=VARIABLE.")
        if not environ.get(variable):
            raise Refused(f"--secret-env {key}: there is no such variable, or it is empty.")
        found[key] = environ[variable]
    if stdin:
        found |= _from_json(sys.stdin.read())
    for key in REQUIRED.get(cloud_type.lower(), ()):
        if found.get(key):
            continue
        if stdin or not sys.stdin.isatty():
            raise Refused(
                f"{key} is missing; a connection of type {cloud_type} needs it.", next=_WAYS
            )
        found[key] = ask(f"{key} (not shown): ").strip()
    return found


def _standard(cloud_type: str, environ: Mapping[str, str]) -> dict[str, str]:
    if cloud_type.lower() != "s3":
        raise Refused(
            "--from-env reads the AWS variables, so it is for --type s3.",
            next=("Name the variables yourself: --secret-env KEY=VARIABLE.",),
        )
    found = {key: environ[name] for key, name in STANDARD_VARIABLES.items() if environ.get(name)}
    if not found:
        raise Refused(
            "--from-env: none of the AWS variables is set.",
            next=("export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY first.",),
        )
    return found


def _from_json(text: str) -> dict[str, str]:
    """The object's values as text; an object inside it (a service account) as its JSON."""
    try:
        read = json.loads(text)
    except ValueError:
        raise Refused("stdin is not JSON.", next=_FORM) from None  # its error quotes the text
    if not isinstance(read, dict):
        raise Refused("stdin is JSON, but not an object.", next=_FORM)
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in read.items()
        if value is not None
    }


_FORM: Final = ('Write an object, e.g. {"access_key_id": "...", "secret_access_key": "..."}.',)
