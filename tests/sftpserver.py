"""A real SFTP server on loopback, in this process: paramiko's, over a folder of the test."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
import pytest


@dataclass(frozen=True)
class SshHost:
    """Where the server answers; `home` is a home folder in whose .ssh all is set up for it."""

    port: int
    folder: Path
    home: Path

    def url(self, path: str = "remote") -> str:
        return f"ssh://ada@127.0.0.1:{self.port}{self.folder}/{path}"


class _Login(paramiko.ServerInterface):
    def __init__(self, known: paramiko.PKey) -> None:
        self.known = known

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        fits = username == "ada" and key == self.known
        return paramiko.AUTH_SUCCESSFUL if fits else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


class _Handle(paramiko.SFTPHandle):
    def stat(self) -> Any:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


def _answered(call: Any) -> Any:
    try:
        return call()
    except OSError as exc:
        return paramiko.SFTPServer.convert_errno(exc.errno or 0)


class _Files(paramiko.SFTPServerInterface):
    def list_folder(self, path: str) -> Any:
        def look() -> Any:
            found = []
            for entry in os.scandir(path):
                attributes = paramiko.SFTPAttributes.from_stat(entry.stat())
                attributes.filename = entry.name
                found.append(attributes)
            return found

        return _answered(look)

    def stat(self, path: str) -> Any:
        return _answered(lambda: paramiko.SFTPAttributes.from_stat(Path(path).stat()))

    lstat = stat

    def open(self, path: str, flags: int, attr: Any) -> Any:
        def opened() -> Any:
            file = os.fdopen(
                os.open(path, flags, 0o644), "r+b" if flags & (os.O_WRONLY | os.O_RDWR) else "rb"
            )
            handle = _Handle(flags)
            handle.readfile = handle.writefile = file
            return handle

        # what paramiko opens for writing is written by pwrite-like calls through a readable handle
        flags = flags & ~os.O_WRONLY | os.O_RDWR if flags & os.O_WRONLY else flags
        return _answered(opened)

    def _done(self, call: Any) -> Any:
        result = _answered(call)
        return paramiko.SFTP_OK if result is None else result

    def remove(self, path: str) -> Any:
        return self._done(lambda: Path(path).unlink())

    def posix_rename(self, oldpath: str, newpath: str) -> Any:
        return self._done(lambda: os.rename(oldpath, newpath))  # noqa: PTH104 - it returns None

    def mkdir(self, path: str, attr: Any) -> Any:
        return self._done(lambda: Path(path).mkdir())


@contextlib.contextmanager
def sftp_server(folder: Path) -> Iterator[SshHost]:
    """Serve the disk from a free port; whoever has the key below `folder`/home may enter."""
    host_key, user_key = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    home = folder / "home"
    (home / ".ssh").mkdir(parents=True)
    user_key.write_private_key_file(str(home / ".ssh/id_ecdsa"))
    known = f"[127.0.0.1]:{port} {host_key.get_name()} {host_key.get_base64()}\n"
    (home / ".ssh/known_hosts").write_text(known)
    (home / ".ssh/config").write_text(
        f"Host 127.0.0.1\n  IdentityFile {home}/.ssh/id_ecdsa\n"
        f"  UserKnownHostsFile {home}/.ssh/known_hosts\n"
    )
    transports: list[paramiko.Transport] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.daemon = True
            transports.append(transport)
            transport.add_server_key(host_key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files)
            with contextlib.suppress(EOFError, paramiko.SSHException):
                transport.start_server(server=_Login(user_key))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield SshHost(port, folder, home)
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for transport in transports:
            transport.close()
        thread.join()


@pytest.fixture(scope="session")
def ssh_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshHost]:
    """Serve a folder of the session over SFTP."""
    with sftp_server(tmp_path_factory.mktemp("ssh")) as host:
        yield host
