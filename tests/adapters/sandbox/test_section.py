import json
import subprocess
from pathlib import Path

import pytest

from cloudcopy.adapters.sandbox.section import as_environment, as_file
from cloudcopy.domain.connection import Backend
from cloudcopy.domain.errors import Invalid
from tests.adapters.sandbox.cells import RCLONE

PLAIN = {
    "empty": "",
    "spaces": "  both ends  ",
    "comment": "#a;b # c",
    "quotes": "\"a\" 'b'",
    "triple": '"""x',
    "inner_backquote": "a`b",
    "percent": "50% (of it)",
    "section": "[S]",
    "equals": "a = b : c",
    "backslash": "a\\",
    "unicode": "é\u2028\x85ß\ufeff",
    "tab": "a\tb",
}
PEM = "-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n"


def dumped(arguments: list[str], env: dict[str, str]) -> dict[str, str]:
    out = subprocess.run(
        [RCLONE, "config", "dump", *arguments], env=env, capture_output=True, check=True
    ).stdout
    section = json.loads(out)["R"]
    assert isinstance(section, dict)
    return section


def test_rclone_reads_back_from_the_file_what_went_in(tmp_path: Path) -> None:
    file = tmp_path / "rclone.conf"
    file.write_bytes(as_file(Backend("s3", PLAIN)))
    assert dumped(["--config", str(file)], {}) == {"type": "s3", **PLAIN}


def test_rclone_reads_back_from_the_environment_what_went_in() -> None:
    options = {"access_key_id": "AKIA", "secret_access_key": " `a` %(b)s "}
    assert as_environment(Backend("s3", options)) == {
        "RCLONE_CONFIG_R_TYPE": "s3",
        "RCLONE_CONFIG_R_ACCESS_KEY_ID": "AKIA",
        "RCLONE_CONFIG_R_SECRET_ACCESS_KEY": " `a` %(b)s ",
    }


def test_json_loses_its_layout_and_pem_its_line_breaks(tmp_path: Path) -> None:
    account = {"type": "service_account", "private_key": PEM}
    backend = Backend("x", {"account": json.dumps(account, indent=2), "key_pem": PEM})
    file = tmp_path / "rclone.conf"
    file.write_bytes(as_file(backend))
    section = dumped(["--config", str(file)], {})
    assert json.loads(section["account"]) == account
    assert section["key_pem"] == PEM.replace("\n", "\\n")


@pytest.mark.parametrize("value", ["a\nenv_auth = true", "a\r\nb", "\n[S]\ntype = local"])
def test_a_line_break_never_becomes_a_second_option(value: str) -> None:
    with pytest.raises(Invalid) as refused:
        as_file(Backend("s3", {"secret_access_key": value}))
    assert str(refused.value) == "parameters.secret_access_key: has a line break"


@pytest.mark.parametrize("value", ["a%(type)s", "`a", " a`b"])
def test_what_the_file_cannot_hold_is_refused_without_telling_it(value: str) -> None:
    with pytest.raises(Invalid) as refused:
        as_file(Backend("s3", {"session_token": value}))
    assert refused.value.field == "parameters.session_token"
    assert value not in str(refused.value)


@pytest.mark.parametrize("name", ["a = b\nc", "TYPE", "type", ""])
def test_only_an_options_name_can_be_a_name(name: str) -> None:
    with pytest.raises(Invalid):
        as_environment(Backend("s3", {name: "x"}))
