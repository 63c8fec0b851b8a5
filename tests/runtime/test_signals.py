"""Which signals stop a process of ours, whatever it inherited."""

import signal
import sys

import pytest

from tests.harness.processes import start

STOPPABLE = """
import subprocess, sys
from factory.runtime.errors import Interrupted
from factory.runtime.signals import StopSignals
with StopSignals() as signals:
    child = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN, flush=True)"
    subprocess.run([sys.executable, "-c", child], check=True)
    try:
        signals.pause(60)
    except Interrupted as stop:
        print("stopped by", stop.signal_number)
"""
BACKGROUND = (signal.SIGINT, signal.SIGHUP)
"""What a background job of a shell without job control, or below nohup, inherits as ignored."""


@pytest.mark.parametrize("ignored", [(), BACKGROUND, (*BACKGROUND, signal.SIGTERM)])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_and_termination_stop_it_whatever_was_inherited(ignored, number):
    process = start([sys.executable, "-c", STOPPABLE], ignored=ignored, stdout=-1, text=True)
    assert process.stdout.readline() == "False\n", "its child ignores SIGINT"
    process.send_signal(number)
    assert process.communicate(timeout=30)[0] == f"stopped by {number:d}\n"


def test_hang_up_stops_it():
    process = start([sys.executable, "-c", STOPPABLE], stdout=-1, text=True)
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=30)[0] == f"stopped by {signal.SIGHUP:d}\n"


def test_below_nohup_it_survives_a_hang_up():
    process = start([sys.executable, "-c", STOPPABLE], ignored=BACKGROUND, stdout=-1, text=True)
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[0] == f"stopped by {signal.SIGTERM:d}\n"
