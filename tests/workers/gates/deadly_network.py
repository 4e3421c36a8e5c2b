"""A network whose making ends its process, as the kernel does when memory runs out; `deadly_network:make`."""

import os
import signal


def make():
    os.kill(os.getpid(), signal.SIGKILL)
