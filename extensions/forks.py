"""Kernels forked from a process that has imported what all chapters import: that takes 1.7 s, and a fork 10 ms.

Such a kernel differs from one that is started in nothing but the modules that it finds imported. Run as a program,
this file is the process that forks: it reads a line of JSON for each kernel and answers with its number.
"""

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import EntryPoint

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

__all__ = ["Forks", "use_forks"]

IMPORTED = ("ipykernel.kernelapp", "matplotlib.pyplot", "numpy", "sympy", "kexue_core.notebook")
LATE = ("sympy.physics.units", "sympy.codegen.ast")  # what sympy imports by itself when it first simplifies


def use_forks():
    """Have every kernel that this process starts be a fork (on Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        factory = KernelProvisionerFactory.instance()
        factory.provisioners["forks"] = EntryPoint("forks", f"{__name__}:Forks", factory.GROUP_NAME)
        factory.default_provisioner_name = "forks"


class Forks(LocalProvisioner):
    """Jupyter's way to a kernel, but for its start."""

    async def launch_kernel(self, cmd, *, env, cwd=".", **_):
        """Fork a kernel; return how to reach it."""
        server = _server()
        print(json.dumps([cmd, env, cwd]), file=server.stdin, flush=True)
        self.pid = self.pgid = int(server.stdout.readline())
        self.process, self.cwd = _Process(self.pid), cwd
        return self.connection_info


@functools.cache
def _server():
    """Start the process that forks; it ends with this one."""
    environment = {**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}  # a kernel sets it too late
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, __file__], env=environment, **pipes, text=True)


class _Process:
    """A process as `subprocess.Popen` shows one, though it is no child of this one; how it ended is not known."""

    stdin = stdout = stderr = None

    def __init__(self, pid):
        self.pid = pid

    def poll(self):
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None

    def wait(self):
        while self.poll() is None:
            time.sleep(0.01)
        return 0

    def send_signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


def main():
    """Import, then fork a kernel for each line."""
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # a kernel reads it when it is imported, and ends with that process
    del sys.path[0]  # the folder of this file, where no kernel looks
    for module in IMPORTED + LATE:
        __import__(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # a kernel that has ended leaves nothing behind
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            become_kernel(*json.loads(line))
        print(pid, flush=True)


def become_kernel(command, env, cwd):
    """Go on where ``python -m ipykernel_launcher`` begins."""
    import numpy
    from ipykernel import kernelapp

    numpy.random.seed()  # else all would draw the same numbers
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = command[2:]
    kernelapp.launch_new_instance()
    os._exit(0)


if __name__ == "__main__":
    main()
