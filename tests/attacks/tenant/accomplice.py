"""A process of the tenant's uid outside every sandbox, as over SSH: it owns things that a sandbox must not find, and
hands descriptors to whoever asks over UNIX sockets in the home."""
import ctypes
import os
import select
import signal
import socket

import bare

IPC_CREAT_0666 = 0o1666
IPC_RMID = 0
libc = ctypes.CDLL(None, use_errno=True)


class Accomplice:
    """REQUIRES: root.  Ends with close() and takes everything with it."""

    def __init__(self, tenant):
        self.key = 0x40000000 + tenant.uid
        self.root_socket, self.pidfd_socket = (str(tenant.home / name) for name in ("root.sock", "pidfd.sock"))
        mark = f"rowhouse-accomplice-{tenant.uid}"
        self.shared_files = [f"{place}/{mark}" for place in ("/tmp", "/var/tmp", "/dev/shm")]
        self.abstract_stream, self.abstract_datagram = f"\0{mark}-stream", f"\0{mark}-datagram"
        ready, told = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                bare.become(tenant.uid)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                os.setsid()
                listeners = self._prepare()
                os.write(told, b"ready")
                self._serve(*listeners)
            finally:
                os._exit(1)
        os.close(told)
        said = os.read(ready, 5)
        os.close(ready)
        assert said == b"ready", "the accomplice did not start"

    def _prepare(self):
        for path in self.shared_files:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o666))
        assert libc.shmget(self.key, 4096, IPC_CREAT_0666) >= 0
        assert libc.semget(self.key, 1, IPC_CREAT_0666) >= 0 and libc.msgget(self.key, IPC_CREAT_0666) >= 0
        listeners = []
        for name in (self.root_socket, self.pidfd_socket, self.abstract_stream):
            listeners.append(socket.socket(socket.AF_UNIX))
            listeners[-1].bind(name)
            listeners[-1].listen()
        datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        datagrams.bind(self.abstract_datagram)
        return (*listeners, datagrams)

    @staticmethod
    def _serve(roots, pidfds, stream, _datagrams):
        gifts = {roots: os.open("/", os.O_PATH | os.O_DIRECTORY), pidfds: os.pidfd_open(os.getpid())}
        while True:
            for listener in select.select([roots, pidfds, stream], [], [])[0]:
                with listener.accept()[0] as peer:
                    if listener in gifts:
                        socket.send_fds(peer, [b"x"], [gifts[listener]])

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        for path in self.shared_files:
            if os.path.exists(path):
                os.unlink(path)
        for get, control, arguments in ((libc.shmget, libc.shmctl, (IPC_RMID, None)),
                                        (libc.semget, libc.semctl, (0, IPC_RMID)),
                                        (libc.msgget, libc.msgctl, (IPC_RMID, None))):
            identifier = get(self.key, 0, 0)
            if identifier >= 0:
                control(identifier, *arguments)
