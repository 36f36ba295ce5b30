"""Secrets at rest."""

import stat
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloudcopy.adapters.vault import FileVault
from cloudcopy.domain.errors import Unavailable

SECRETS = {"secret_access_key": "TOPSECRET", "token": '{"access_token": "é"}'}


def test_what_was_sealed_opens_in_its_own_context_only(tmp_path):
    vault = FileVault.at(tmp_path / "master.key")
    sealed = vault.seal(SECRETS, context="connection:1")
    assert vault.open(sealed, context="connection:1") == SECRETS
    assert b"TOPSECRET" not in sealed.key + sealed.box
    assert "TOPSECRET" not in repr(sealed)
    for context in ("connection:2", "", "connection:11"):
        with pytest.raises(Unavailable, match="do not open"):
            vault.open(sealed, context=context)


def test_a_changed_box_or_another_master_does_not_open(tmp_path):
    vault = FileVault.at(tmp_path / "master.key")
    sealed = vault.seal(SECRETS, context="c")
    flipped = replace(sealed, box=sealed.box[:-1] + bytes([sealed.box[-1] ^ 1]))
    swapped = replace(sealed, key=vault.seal(SECRETS, context="c").key)
    for wrong in (flipped, swapped, replace(sealed, key=b""), replace(sealed, box=b"short")):
        with pytest.raises(Unavailable):
            vault.open(wrong, context="c")
    with pytest.raises(Unavailable):
        FileVault.at(tmp_path / "other.key").open(sealed, context="c")


def test_the_master_key_is_made_once_for_its_owner_only(tmp_path):
    path = tmp_path / "master.key"
    sealed = FileVault.at(path).seal(SECRETS, context="c")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert FileVault.at(path).open(sealed, context="c") == SECRETS
    path.chmod(0o644)
    with pytest.raises(Unavailable, match="can be read by others"):
        FileVault.at(path)


def test_a_master_key_of_the_wrong_length_is_refused(tmp_path):
    path = tmp_path / "master.key"
    path.touch(0o600)
    with pytest.raises(Unavailable, match="32 bytes"):
        FileVault.at(path)


def test_digests_differ_by_purpose_and_key():
    one, other = FileVault(b"1" * 32), FileVault(b"2" * 32)
    digests = {
        one.digest("api-key", "x"),
        one.digest("result-url", "x"),
        one.digest("api-key", "y"),
        other.digest("api-key", "x"),
    }
    assert len(digests) == 4
    assert one.same(one.digest("a", "x"), one.digest("a", "x"))
    assert not one.same(one.digest("a", "x"), one.digest("a", "y"))


def test_a_signature_is_that_of_the_public_key_and_of_one_message():
    vault, other = FileVault(b"1" * 32), FileVault(b"2" * 32)
    signature = vault.sign(b"said")
    assert (len(vault.public_key), len(signature)) == (32, 64)
    assert vault.verify(vault.public_key, b"said", signature)
    assert not vault.verify(vault.public_key, b"unsaid", signature)
    assert not vault.verify(other.public_key, b"said", signature)


def test_the_signing_key_lasts_as_long_as_the_master_key_and_serves_nothing_else(tmp_path):
    path = tmp_path / "master.key"
    vault, again = FileVault.at(path), FileVault.at(path)
    assert (vault.public_key, vault.sign(b"m")) == (again.public_key, again.sign(b"m"))
    master = Ed25519PrivateKey.from_private_bytes(path.read_bytes())
    assert master.public_key().public_bytes_raw() != vault.public_key
