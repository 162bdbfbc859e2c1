"""Servers for the tests of mailboxes on a server: Dovecot, one that is cut off, one by script."""

from __future__ import annotations

import os
import selectors
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

PASSWORD = "canary-geheim-ü"
#: As root, Dovecot wants another user for logins and for mail.
NOBODY = 65534
_DOVECOT = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
_OPENSSL = shutil.which("openssl")
MISSING = ", ".join(
    name for name, path in (("dovecot", _DOVECOT), ("openssl", _OPENSSL)) if not path
)
_DEADLINE_SECONDS = 30

_CONFIG = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
protocols = imap
listen = 127.0.0.1
default_internal_user = {name}
default_internal_group = {group}
default_login_user = {login}
ssl = yes
ssl_cert = <{home}/cert.pem
ssl_key = <{home}/key.pem
auth_mechanisms = plain
auth_failure_delay = 0
mail_location = maildir:{home}/mail/%u
first_valid_uid = 0
first_valid_gid = 0
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/mail/%u
}}
service imap-login {{
  {chroot}
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
}}
service anvil {{
  {chroot}
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""


class Mailbox:
    """The Maildir of a user of Dovecot."""

    def __init__(self, server: Dovecot, user: str) -> None:
        self.server, self.user = server, user
        self.folder = server.home / "mail" / user
        self.add("")

    def add(self, name: str) -> Path:
        """Make a folder of the mailbox, or the mailbox itself."""
        folder = self.folder / name
        for part in ("cur", "new", "tmp"):
            (folder / part).mkdir(parents=True)
        return folder

    def deliver(self, name: str, mail: str, folder: str = "") -> None:
        """Put a mail in place, as a delivery would."""
        (self.folder / folder / "new" / name).write_text(mail)
        if os.getuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY)

    def listed(self) -> list[str]:
        """Return all names, which hold the flags; a mail that is looked at leaves ``new``."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.glob("[cn]*/*"))

    def url(self, folder: str = "INBOX", *, port: int | None = None) -> str:
        return f"imaps://{self.user}@localhost:{port or self.server.tls}/{folder}"

    @property
    def starttls(self) -> str:
        return self.url(port=self.server.plain).replace("imaps:", "imap:")


class Dovecot:
    """A server with a certificate of its own; every user has the same password."""

    def __init__(self, home: Path) -> None:
        self.home, self.certificate = home, home / "cert.pem"
        self.plain, self.tls = _free_ports(2)

    @contextmanager
    def running(self) -> Iterator[Dovecot]:
        self._configure()
        command = [_DOVECOT, "-F", "-c", str(self.home / "dovecot.conf")]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as server:
            try:
                _greeted(self.plain, server)
                yield self
            finally:
                server.terminate()
                server.wait(_DEADLINE_SECONDS)

    def _configure(self) -> None:
        subject = "/CN=localhost"
        names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
        subprocess.run(
            [_OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", subject, "-addext", names,
             "-keyout", self.home / "key.pem", "-out", self.certificate],
            check=True, capture_output=True,
        )  # fmt: skip
        root = os.getuid() == 0
        name, group = ("root", "root") if root else (_id("-un"), _id("-gn"))
        text = _CONFIG.format(
            home=self.home, name=name, group=group, login="nobody" if root else name,
            uid=NOBODY if root else os.getuid(), gid=NOBODY if root else os.getgid(),
            chroot="" if root else "chroot =", plain=self.plain, tls=self.tls,
            password=PASSWORD,
        )  # fmt: skip
        (self.home / "dovecot.conf").write_text(text)


def _id(option: str) -> str:
    return subprocess.run(["id", option], check=True, capture_output=True, text=True).stdout.strip()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        listeners = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [listener.getsockname()[1] for listener in listeners]


def _greeted(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, server.communicate()
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            if client.recv(4) == b"* OK":
                return
    raise TimeoutError("Dovecot does not greet")


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve one connection after the other in a thread; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:  # closed: the test is over
                    return
                with client, suppress(OSError):
                    serve(client)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(_DEADLINE_SECONDS)


class Wire:
    """A way to a server that is cut after so many of its bytes, once for each number given."""

    def __init__(self, port: int) -> None:
        self.cuts: list[int] = []
        self.passed: list[int] = []  # bytes from the server, by connection
        self._port = port

    def __call__(self, client: socket.socket) -> None:
        left = self.cuts.pop(0) if self.cuts else 1 << 60
        self.passed.append(0)
        with (
            socket.create_connection(("127.0.0.1", self._port)) as server,
            selectors.DefaultSelector() as ready,
        ):
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select(_DEADLINE_SECONDS):
                    assert isinstance(key.fileobj, socket.socket)
                    data = key.fileobj.recv(min(left, 1 << 16) or 1)
                    if not data or not left:
                        return
                    key.data.sendall(data)
                    if key.fileobj is server:
                        left -= len(data)
                        self.passed[-1] += len(data)


def scripted(*answers: tuple[str, bytes]) -> Callable[[socket.socket], None]:
    """Answer each command by the first entry whose word is in it; ``%`` stands for its tag."""

    def serve(client: socket.socket) -> None:
        with client.makefile("rwb") as lines:
            lines.write(b"* OK ready\r\n")
            lines.flush()
            for line in lines:
                tag = line.partition(b" ")[0]
                known = (answer for word, answer in answers if word.encode() in line)
                lines.write(next(known, b"% OK done\r\n").replace(b"%", tag))
                lines.flush()

    return serve
