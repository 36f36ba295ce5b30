"""What is a public SSH key, and what is not."""

import pytest

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.ssh import public_key

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXsH2ev3l0nUe8K1WIxLhQZPjQtdd6CUz9h4Gp7S6Zc"


def test_a_key_is_one_line_with_or_without_a_comment():
    assert public_key(f"  {KEY}\n", field="k") == KEY
    assert public_key(f"{KEY}  me@host here ", field="k") == f"{KEY} me@host here"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 notbase64!",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA…",  # as a document shortens it
        KEY.replace("ssh-ed25519", "ssh-rsa"),  # the key inside says otherwise
        f'command="id" {KEY}',  # options would run something
        f"{KEY} a\n{KEY} b",
        f"{KEY} " + "x" * 5000,
        "ssh-dss AAAAB3NzaC1kc3M=",
    ],
)
def test_anything_else_is_refused(text: str):
    with pytest.raises(Invalid) as refused:
        public_key(text, field="k")
    assert refused.value.code == "bad_ssh_key"


def test_a_private_key_is_told_apart_and_not_repeated():
    with pytest.raises(Invalid) as refused:
        public_key("-----BEGIN OPENSSH PRIVATE KEY-----\nSECRET", field="k")
    assert refused.value.code == "private_key"
    assert "SECRET" not in str(refused.value)
