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
from cloudcopy.adapters.objects.child.wire import LENGTH_BYTES, LISTENING, READY, Begin

STORE = {
    "type": "s3",
    "endpoint": "http://127.0.0.1:1",
    "access_key_id": "a",
    "secret_access_key": "b",
}


def started(theirs: socket.socket) -> subprocess.Popen[bytes]:
    fd, python = theirs.fileno(), sys.executable
    place = f"import os, sys; os.dup2({fd}, {LISTENING}); os.execv(sys.argv[1], sys.argv[1:])"
    words = ["-I", "-S", "-c", START]
    return subprocess.Popen([python, "-c", place, python, *words], pass_fds=[fd])


def framed(message: object) -> bytes:
    body = json.dumps(message).encode()
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def heard(ours: socket.socket) -> object:
    return json.loads(ours.recv(int.from_bytes(ours.recv(LENGTH_BYTES), "big")))


def test_the_program_needs_no_file_of_ours():
    """`-S` hides the packages: what is imported was handed over, or is obstore's library."""
    ours, theirs = socket.socketpair()
    process = started(theirs)
    theirs.close()
    ours.sendall(bundled())
    assert heard(ours) == {"id": READY, "result": {}}
    told: Begin = {"words": [], "store": STORE, "rules": None, "handed": False}
    ours.sendall(framed(told))
    ours.sendall(framed({"id": 1, "method": "rc/noop", "parameters": {}}))
    assert heard(ours) == {"id": 1, "result": {}}
    ours.close()
    assert process.wait() == 0


def test_a_program_whose_parent_dies_before_it_is_handed_over_ends():
    ours, theirs = socket.socketpair()
    process = started(theirs)
    theirs.close()
    ours.sendall(bundled()[:1000])
    ours.close()
    assert process.wait() == 1


def test_a_program_whose_parent_dies_before_it_has_a_copy_ends():
    ours, theirs = socket.socketpair()
    process = started(theirs)
    theirs.close()
    ours.sendall(bundled())
    assert heard(ours) == {"id": READY, "result": {}}
    ours.close()
    assert process.wait() == 0


def test_every_module_of_the_program_is_handed_over_and_only_obstore_is_looked_for():
    body = bundled()
    for each in pkgutil.iter_modules(child.__path__):
        assert f"{child.__name__}.{each.name}".encode() in body
    assert os.fsencode(Path(str(obstore.__file__)).parent) in body
