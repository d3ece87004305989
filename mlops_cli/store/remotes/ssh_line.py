"""A line to a machine behind ssh; the door to paramiko."""

from __future__ import annotations

import contextlib
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class UnknownHostKey(Exception):
    """The host shows a key that nobody has vouched for."""


@dataclass(slots=True)
class Line:
    """One connection, made when it is needed and again when it broke; a channel a thread."""

    words: Mapping[str, Any]  # what `SSHClient.connect` wants to hear
    known_hosts: tuple[Path, ...]
    timeout: int
    _client: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _own: threading.local = field(default_factory=threading.local)

    @contextlib.contextmanager
    def channel(self) -> Iterator[Any]:
        """Offer this thread's channel: two threads on one would lose each other's answers."""
        client = self._connected()
        channel, of = getattr(self._own, "held", (None, None))
        if of is not client:
            channel = client.open_sftp()
            channel.get_channel().settimeout(self.timeout)
            self._own.held = (channel, client)
        try:
            yield channel
        except (OSError, EOFError) as exc:
            if getattr(exc, "errno", None) is None:  # the line is gone, not only a file
                self._forget(client)
            raise

    def _connected(self) -> Any:
        import paramiko

        with self._lock:
            if self._client is None:
                client = paramiko.SSHClient()
                for file in self.known_hosts:
                    if file.is_file():
                        client.load_host_keys(str(file))
                client.set_missing_host_key_policy(_refuse())
                client.connect(timeout=self.timeout, **self.words)
                self._client = client
            return self._client

    def _forget(self, client: Any) -> None:
        with self._lock:
            if self._client is client:
                self._client = None
        client.close()


def _refuse() -> Any:
    import paramiko

    class Refuse(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
        def missing_host_key(self, _client: Any, hostname: str, key: Any) -> None:
            raise UnknownHostKey(f"{hostname} shows {key.get_name()} {key.fingerprint}")

    return Refuse()


def line_to(url: str, given: Mapping[str, Any], *, timeout: int) -> Line:
    """Return the line to the host of `url`, as `~/.ssh/config` describes it; nothing is asked."""
    import paramiko

    parts = urllib.parse.urlsplit(url)
    home = Path.home()
    file = home / ".ssh/config"
    config = paramiko.SSHConfig.from_path(str(file)) if file.is_file() else paramiko.SSHConfig()
    said = config.lookup(parts.hostname or "")
    words: dict[str, Any] = {
        "hostname": said.get("hostname", parts.hostname),
        "port": parts.port or int(said.get("port", 22)),
        "username": parts.username or said.get("user"),
    }
    if keys := given.get("key_filename") or said.get("identityfile"):
        words["key_filename"] = keys
    if command := said.get("proxycommand"):
        words["sock"] = paramiko.ProxyCommand(command)
    hosts = said.get("userknownhostsfile", "~/.ssh/known_hosts").split()
    files = tuple(Path(one).expanduser() for one in (*hosts, "/etc/ssh/ssh_known_hosts"))
    return Line(words, files, timeout)
