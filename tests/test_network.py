"""The block that `conftest.py` puts up holds, in processes of a test too."""

import os
import subprocess
import sys

import pytest

TRY = "import socket, sys; socket.create_connection((sys.argv[1], 9), timeout=1)"


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org", "2001:db8::1"])
def test_another_machine_is_refused_and_noted(tmp_path, host):
    log = tmp_path / "reached"
    environment = {**os.environ, "CMBKIT_REACHED": str(log)}
    command = [sys.executable, "-c", TRY, host]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "expected to stay on this machine" in done.stderr and log.read_text() == f"{host}\n"


def test_this_machine_is_not_refused(tmp_path):
    log = tmp_path / "reached"
    environment = {**os.environ, "CMBKIT_REACHED": str(log)}
    done = subprocess.run(
        [sys.executable, "-c", TRY, "127.0.0.1"], env=environment, capture_output=True, text=True
    )
    assert "ConnectionRefusedError" in done.stderr and not log.exists()
