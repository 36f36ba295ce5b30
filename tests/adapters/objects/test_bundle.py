"""The program as it is handed over: all of it, and nothing more is needed."""

import json
import os
import pkgutil
import socket
import subprocess
import sys
from pathlib import Path

import obstore

from cloudcopy.adapters.objects import child
from cloudcopy.adapters.objects.bundle import START, bundled
from cloudcopy.adapters.objects.child.wire import LENGTH_BYTES, LISTENING

CONFIG = """\
[r]
type = s3
endpoint = http://127.0.0.1:1
access_key_id = a
secret_access_key = b
"""


def started(theirs: socket.socket, config: Path) -> subprocess.Popen[bytes]:
    config.write_text(CONFIG)
    fd, python = theirs.fileno(), sys.executable
    place = f"import os, sys; os.dup2({fd}, {LISTENING}); os.execv(sys.argv[1], sys.argv[1:])"
    words = ["-I", "-S", "-c", START, f"--config={config}"]
    return subprocess.Popen([python, "-c", place, python, *words], pass_fds=[fd])


def test_the_program_needs_no_file_of_ours(tmp_path: Path):
    """`-S` hides the packages: what is imported was handed over, or is obstore's library."""
    ours, theirs = socket.socketpair()
    process = started(theirs, tmp_path / "r.conf")
    theirs.close()
    body = json.dumps({"id": 1, "method": "rc/noop", "parameters": {}}).encode()
    ours.sendall(bundled() + len(body).to_bytes(LENGTH_BYTES, "big") + body)
    answer = ours.recv(LENGTH_BYTES)
    assert json.loads(ours.recv(int.from_bytes(answer, "big"))) == {"id": 1, "result": {}}
    ours.close()
    assert process.wait() == 0


def test_a_program_whose_parent_dies_before_it_is_handed_over_ends(tmp_path: Path):
    ours, theirs = socket.socketpair()
    process = started(theirs, tmp_path / "r.conf")
    theirs.close()
    ours.sendall(bundled()[:1000])
    ours.close()
    assert process.wait() == 1


def test_every_module_of_the_program_is_handed_over_and_only_obstore_is_looked_for():
    body = bundled()
    for each in pkgutil.iter_modules(child.__path__):
        assert f"{child.__name__}.{each.name}".encode() in body
    assert os.fsencode(Path(str(obstore.__file__)).parent) in body
