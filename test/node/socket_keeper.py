#!/usr/bin/env python3
"""What systemd does for floxd.socket and floxd.service, where there is no systemd: keeps a listening Unix socket, and runs a command
that gets it (sd_listen_fds(3)), again whenever that ends.

  socket_keeper.py SOCKET PID-FILE COMMAND…    SIGTERM ends the command and the keeper
"""
import os
import signal
import socket
import sys
import time


def main():
    path, pid_file, *command = sys.argv[1:]
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    os.chmod(path, 0o600)
    listening.listen(4096)
    if listening.fileno() != 3:
        os.dup2(listening.fileno(), 3)
    os.set_inheritable(3, True)
    child = 0

    def end(*_):
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    while True:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
            os.execvp(command[0], command)
        with open(pid_file, "w") as file:
            print(child, file=file)
        os.waitpid(child, 0)
        time.sleep(0.3)  # as RestartSec=


if __name__ == "__main__":
    main()
