"""`cloudcopy mcp` without what it needs. With it, see tests/journeys/test_mcp.py."""

import sys

import pytest

import cloudcopy.cli as cli_package
from cloudcopy.cli import exits
from cloudcopy.cli.app import build_app
from tests.cli.conftest import CommandLine


def test_without_its_package_it_says_how_to_install_it(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [each for each in sys.modules if each.partition(".")[0] == "mcp"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "cloudcopy.cli.tools", raising=False)
    monkeypatch.delattr(cli_package, "tools", raising=False)  # another test may have imported it
    monkeypatch.setitem(sys.modules, "mcp", None)

    ran = cli("mcp")

    assert (ran.code, ran.out) == (exits.USAGE, "")
    assert "needs the package mcp, which is not installed here" in ran.err
    assert "pip install 'cloudcopy[mcp]'" in ran.err


def test_without_a_key_it_says_where_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_app({})(["mcp"])

    assert ended.value.code == exits.AUTH
    assert "CLOUDCOPY_API_KEY" in capsys.readouterr().err
