"""Connections: which options each kind may carry, and which of them are secret."""

import pytest

from cloudcopy.domain.connection import PROVIDERS, Backend, NewConnection, backend
from cloudcopy.domain.errors import Invalid

S3 = {"access_key_id": "AK", "secret_access_key": "SK"}
NEVER = {
    "env_auth",
    "profile",
    "shared_credentials_file",
    "service_account_file",
    "key_file",
    "ssh",
    "server_command",
    "bearer_token_command",
    "unix_socket",
    "disable_checksum",
    "no_head",
    "sdk_log_mode",
    "headers",
    "http_proxy",
    "socks_proxy",
    "download_url_command",
}


def test_no_option_runs_a_program_reads_a_host_file_or_weakens_a_check():
    for name, provider in PROVIDERS.items():
        assert not (provider.required | provider.optional) & NEVER, name


def test_secrets_are_among_the_options_that_may_be_given():
    for name, provider in PROVIDERS.items():
        assert provider.secret <= provider.required | provider.optional, name
        assert provider.obscured <= provider.secret, name


def test_a_secret_is_not_among_what_is_shown():
    new = NewConnection.parse("lab", "s3", {**S3, "region": "eu-central-1", "bucket": "b"})
    assert new.shown == {"region": "eu-central-1", "bucket": "b"}
    assert new.root == "b"
    assert "SK" not in repr(new)


def test_an_alias_is_the_kind_it_stands_for():
    assert NewConnection.parse("x", "Backblaze", {"account": "a", "key": "k"}).cloud_type == "b2"


@pytest.mark.parametrize(
    ("kind", "parameters", "field"),
    [
        ("ftp", {}, "cloud_type"),
        ("s3", {}, "parameters.access_key_id"),
        ("s3", {**S3, "env_auth": True}, "parameters.env_auth"),
        ("s3", {**S3, "region": ["x"]}, "parameters.region"),
        ("s3", {**S3, "region": "x" * 20_000}, "parameters.region"),
        ("s3", {**S3, "region": "a\0b"}, "parameters.region"),
        ("s3", {**S3, "bucket": "a/b"}, "parameters"),
    ],
)
def test_a_bad_option_is_refused_by_name(kind: str, parameters: dict, field: str):
    with pytest.raises(Invalid) as error:
        NewConnection.parse("lab", kind, parameters)
    assert error.value.field == field
    assert "SK" not in str(error.value)


@pytest.mark.parametrize("name", ["", "a b", "101", "-x", "é", "x" * 64])
def test_a_name_must_fit_into_an_address(name: str):
    with pytest.raises(Invalid):
        NewConnection.parse(name, "s3", S3)


def test_our_options_win_and_no_bucket_is_ever_made():
    made = backend("s3", {**S3, "endpoint": "http://store", "bucket": "b"})
    assert made == Backend(
        "s3",
        {**S3, "endpoint": "http://store", "provider": "Other", "no_check_bucket": "true"},
    )
    assert "SK" not in repr(made)


def test_hugging_face_is_its_gateway_with_the_namespace_in_the_path():
    made = backend("hf", {**S3, "namespace": "lab"})
    assert made.options["endpoint"] == "https://s3.hf.co/lab"
    assert "namespace" not in made.options


def test_values_of_other_kinds_become_text():
    new = NewConnection.parse("x", "sftp", {"host": "h", "user": "u", "port": 22, "pass": None})
    assert new.parameters == {"host": "h", "user": "u", "port": "22"}
    assert NewConnection.parse("y", "gcs", {"anonymous": True}).parameters == {"anonymous": "true"}
