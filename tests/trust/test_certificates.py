"""A new authority for the server's certificate: every node trusts the server at every moment of the change."""

from __future__ import annotations

import datetime as dt
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cohortium
import server.running.serve
from clients.flower.connection import FleetConnection, Unreachable
from privacy.errors import ConfigError
from privacy.member_folder import MemberFolder
from privacy.private_keys import load_node_key
from privacy.protocol.membership import fingerprint
from server.flower.certificates import write_certificates
from server.running.enrolment import CoordinatorConfig, Enrolment
from server.running.renewal import Renewal

CONFIG = CoordinatorConfig(federation="shops", coordinator="hub", address="127.0.0.1:9443")
NAMES = ("alpha", "beta")


class Shops:
    """A coordinator and two holders in version 1 of the roster."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hub = Enrolment.create(root / "hub", CONFIG)
        self.renewal = Renewal(root / "hub")
        self.members = {name: MemberFolder(root / name) for name in NAMES}
        for name, member in self.members.items():
            self.hub.take(member.create("shops", name, "holder"))
        self.publish()

    def publish(self, *names: str) -> int:
        """The next version, accepted by some; returns how many authorities it carries."""
        signed, update = self.hub.publish()
        for name in names or NAMES:
            self.members[name].accept(signed, fingerprint(update.roster.digest))
        return update.certificate.count("BEGIN CERTIFICATE")

    def joined(self, *names: str) -> None:
        """As a study notes it whose HELLOs have come."""
        self.renewal.note_joined(self.hub.member.roster(), names)

    def certificate(self) -> bytes:
        return (self.root / "hub" / "keys" / "server.pem").read_bytes()


@pytest.fixture
def shops(tmp_path: Path) -> Shops:
    return Shops(tmp_path)


@contextmanager
def served(keys: Path, port: int = 0) -> Iterator[int]:
    """A TLS server that shows the certificate in a folder and says nothing else; gives its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / "server.pem", keys / "server.key")
    listener = socket.create_server(("127.0.0.1", port))
    listener.settimeout(0.05)
    stop = threading.Event()

    def accept() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
                connection.settimeout(2)
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                continue

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        thread.join()
        listener.close()


def _trusts(connection: FleetConnection) -> bool:
    """Whether a node goes on with a server; one it trusts says nothing, so that it tries again."""
    try:
        connection.heartbeat()
    except Unreachable:
        return True
    except ConfigError as error:
        return "not signed by the given root certificate" not in error.message
    pytest.fail("the server has answered")


def _connection(shops: Shops, name: str, port: int) -> FleetConnection:
    member = shops.members[name]
    return FleetConnection(
        address=f"127.0.0.1:{port}", root_certificate=member.root / "ca.pem", key=load_node_key(member.node_key)
    )


# --- step by step ----------------------------------------------------------------------------------------------------


def test_nodes_trust_the_server_at_every_step_without_being_started_again(shops: Shops) -> None:
    keys, old = shops.root / "hub" / "keys", shops.certificate()
    with served(keys) as port:
        nodes = [_connection(shops, name, port) for name in NAMES]  # running from before, to the end
        assert all(_trusts(node) for node in nodes)
        shops.renewal.begin(host=CONFIG.host, days=825)
        assert shops.certificate() == old
        assert shops.publish() == 2
        assert all(_trusts(node) for node in nodes)
    shops.joined(*NAMES)
    assert shops.renewal.ready
    shops.renewal.switch()
    assert shops.certificate() != old
    with served(keys, port):
        assert all(_trusts(node) for node in nodes)  # from what the roster has brought meanwhile
        assert shops.publish() == 1
        assert all(_trusts(node) for node in nodes)
        newcomer = _connection(shops, "alpha", port)
        assert _trusts(newcomer)
        newcomer.__exit__(None, None, None)
    for node in nodes:
        node.__exit__(None, None, None)


def test_a_node_that_has_not_joined_says_so_and_does_not_trust_the_new_server(shops: Shops) -> None:
    """Why the server waits: the other node would end."""
    shops.renewal.begin(host=CONFIG.host, days=825)
    shops.publish("alpha")
    shops.renewal.switch()
    with served(shops.root / "hub" / "keys") as port:
        for name, trusted in (("alpha", True), ("beta", False)):
            with _connection(shops, name, port) as node:
                assert _trusts(node) == trusted


def test_a_server_of_a_strange_authority_is_trusted_at_no_step(shops: Shops, tmp_path: Path) -> None:
    strange = tmp_path / "strange"
    strange.mkdir()
    write_certificates(strange, host="127.0.0.1")
    shops.renewal.begin(host=CONFIG.host, days=825)
    shops.publish()
    with served(strange) as port, _connection(shops, "alpha", port) as node:
        assert not _trusts(node)


def test_the_server_waits_for_every_holder(shops: Shops) -> None:
    renewal = shops.renewal
    assert not renewal.ready
    shops.joined(*NAMES)  # under version 1
    renewal.begin(host=CONFIG.host, days=825)
    with pytest.raises(ConfigError, match="waiting already"):
        renewal.begin(host=CONFIG.host, days=825)
    assert renewal.waiting_for() == NAMES
    with pytest.raises(ConfigError, match="do not know the new authority"):
        renewal.switch()
    shops.publish()
    assert renewal.carried_since == 2
    assert not renewal.ready
    shops.joined("alpha")
    assert renewal.waiting_for() == ("beta",)
    assert not renewal.ready
    shops.hub.take(shops.members["beta"].rotate())
    assert shops.publish() == 2  # a version in between carries both, too
    assert renewal.carried_since == 2
    shops.joined("beta")
    assert renewal.ready
    assert not renewal.to_drop
    renewal.switch()
    assert renewal.to_drop
    assert shops.publish() == 1
    assert not renewal.to_drop
    with pytest.raises(ConfigError, match="nothing has changed"):
        shops.hub.publish()


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_change_that_was_killed_half_way_is_finished(
    shops: Shops, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shops.renewal.begin(host=CONFIG.host, days=825)
    shops.publish()
    shops.joined(*NAMES)
    right, calls = Path.replace, []

    def killed(self: Path, target: Path) -> Path:
        if len(calls) == after:
            raise KeyboardInterrupt
        calls.append(target)
        return right(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        patch.setattr(Path, "rmdir", lambda self: killed(self, self))
        with pytest.raises(KeyboardInterrupt):
            shops.renewal.switch()
    server.running.serve._Certificate(shops.root / "hub")
    assert not shops.renewal.under_way
    with served(shops.root / "hub" / "keys") as port, _connection(shops, "beta", port) as node:
        assert _trusts(node)
    assert shops.publish() == 1
    shops.renewal.begin(host=CONFIG.host, days=825)  # and once more


def test_serve_takes_the_new_certificate_up_by_itself(shops: Shops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.running.serve, "_LOOK_AT_CERTIFICATE", 0.0)
    certificate = server.running.serve._Certificate(shops.root / "hub")
    shops.renewal.begin(host=CONFIG.host, days=825)
    shops.publish()
    assert not certificate.has_changed()
    shops.joined(*NAMES)
    assert certificate.has_changed()
    assert not certificate.has_changed()


# --- in time -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "warned"), [(91, None), (90, 90), (31, 90), (30, 30), (8, 30), (7, 7), (0, 7), (-1, 7)]
)
def test_the_end_is_announced_90_30_and_7_days_before(shops: Shops, left: int, warned: int | None) -> None:
    now = dt.datetime.now(dt.UTC) + dt.timedelta(days=825 - left) - dt.timedelta(minutes=5)
    assert shops.renewal.days_left(now) == left
    warning = shops.renewal.warning(now)
    assert (warning and warning[0]) == warned
    if warning is not None:
        assert ("has ended" if left < 0 else f"ends in {left} day{'' if left == 1 else 's'}.") in warning[1]
        assert "renew-certificate" in warning[1]


def test_serve_warns_once_for_each_and_publish_and_runs_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server.running.serve, "_LOOK_AT_CERTIFICATE", 0.0)
    shops = Shops(tmp_path)
    left = [29]
    monkeypatch.setattr(Renewal, "days_left", lambda self, now=None: left[0])
    certificate = server.running.serve._Certificate(shops.root / "hub")
    with caplog.at_level(logging.WARNING):
        for left[0] in (29, 28, 7, 6):
            certificate.has_changed()
    assert [record.message.split(".")[0] for record in caplog.records] == [
        "the server's certificate ends in 29 days", "the server's certificate ends in 7 days",
    ]  # fmt: skip
    shops.hub.take(shops.members["beta"].rotate())
    published = CliRunner().invoke(cohortium.app, ["coordinator", "publish", str(shops.root / "hub")])
    assert "ends in 6 days" in " ".join(published.output.split())
    shops.renewal.begin(host=CONFIG.host, days=825)
    assert "waits for alpha, beta to join" in shops.renewal.warning()[1]


def test_the_command_leads_through_all_steps(shops: Shops) -> None:
    def renew(*options: str) -> str:
        result = CliRunner().invoke(
            cohortium.app, ["coordinator", "renew-certificate", str(shops.root / "hub"), *options]
        )
        assert result.exit_code in (0, None) or isinstance(result.exception, ConfigError), result.output
        return " ".join(result.output.split())

    old = shops.certificate()
    assert "makes the version that carries both" in renew()
    assert "`cohortium coordinator publish` sends it to them first" in renew()
    assert shops.certificate() == old
    shops.publish()
    assert renew().endswith("been asked in a study: alpha, beta.")
    shops.joined("alpha")
    assert shops.certificate() == old
    assert "shows its new certificate" in renew("--all-joined")
    assert shops.certificate() != old
    assert "drops the old authority" in renew()
    assert shops.publish() == 1
