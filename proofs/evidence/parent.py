"""A process that does not outlive the one that it works for."""

import os
import signal
import stat
import sys
import threading


def leave_with_the_parent() -> None:
    """End this process, by SIGTERM, when the pipe that is its standard input is closed: whoever started it is gone."""
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return  # a person has

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 4_096):  # nothing ever comes
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
