"""Commands about what a coordinator hands out; ``cohortium.command`` mounts them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from privacy.errors import ConfigError
from privacy.presentation.terminal import Json, command_group, errors, print_json, screen, tell, wrote

coordinator_app = command_group("coordinator", "Set up and run a federation (coordinator).")


def coordinator_folder(path: Path) -> Path:
    """A coordinator's folder: itself, or the one that its ``coordinator.toml`` lies in.

    Raises:
        ConfigError: if there is no such folder, or it is nobody's or another one's.
    """
    folder = path.parent if path.is_file() else path
    if not any((folder / name).exists() for name in _SIGNS):
        what = f"{folder} is no coordinator's folder" if folder.is_dir() else f"there is no folder {folder}"
        if (folder / "coordinator").is_dir():
            raise ConfigError(what, hint=f"that of this federation is {folder / 'coordinator'}")
        raise ConfigError(what, hint="`cohortium coordinator init` makes one")
    return folder


#: What a coordinator's folder has one of, whichever release made it.
_SIGNS = ("coordinator.toml", "roster.json", "rosters", "results", "ledger.sqlite")
_HELP = "The coordinator's folder, or its coordinator.toml."

#: A folder with a coordinator in it; where it is the only argument, the environment may say which.
CoordinatorPath = Annotated[
    Path, typer.Argument(help=_HELP, envvar="COHORTIUM_COORDINATOR", callback=coordinator_folder)
]
CoordinatorBefore = Annotated[Path, typer.Argument(help=_HELP, callback=coordinator_folder)]
NewCoordinatorPath = Annotated[Path, typer.Argument(help="The coordinator's folder.", file_okay=False)]


@coordinator_app.command("init")
def coordinator_init(
    folder: NewCoordinatorPath,
    federation: Annotated[str, typer.Option(help="Short name of the federation.")],
    address: Annotated[str, typer.Option(help="HOST:PORT where members' nodes will reach you; in the certificate.")],
    name: Annotated[str, typer.Option(help="The coordinator's short name in it.")] = "coordinator",
    listen: Annotated[str | None, typer.Option(help="HOST:PORT to listen on, if another one.")] = None,
    days: Annotated[int, typer.Option(help="How long the server's certificate is valid.", min=1, max=825)] = 825,
    as_json: Json = False,
) -> None:
    """Make the coordinator's signing key, certificate authority and server certificate, and coordinator.toml."""
    from pydantic import ValidationError

    from privacy.kernel.canonical import describe_validation
    from server.running.enrolment import CoordinatorConfig, Enrolment

    try:
        config = CoordinatorConfig(federation=federation, coordinator=name, address=address, listen=listen)
    except ValidationError as problem:
        raise ConfigError(f"this is no coordinator:\n{describe_validation(problem)}") from None
    Enrolment.create(folder, config, days=days)
    text = "Next: `cohortium coordinator enrol` each request.json that members send."
    wrote(folder / "coordinator.toml", text, as_json=as_json)


@coordinator_app.command("enrol")
def coordinator_enrol(
    folder: CoordinatorBefore,
    files: Annotated[list[Path], typer.Argument(help="Requests, rotations and leaves that members sent.")],
    as_json: Json = False,
) -> None:
    """Take what members signed: requests to join, new declarations, rotated keys, leaves. Counts when published."""
    from privacy.member_rosters import read_sent
    from privacy.protocol.membership import fingerprint
    from server.running.enrolment import Enrolment

    enrolment, taken = Enrolment(folder), []
    for file in files:
        statement = enrolment.take(read_sent(file))
        kind, member = type(statement).__name__, statement.member
        name, key = (member, None) if isinstance(member, str) else (member.id, fingerprint(member.public_key))
        taken.append({"statement": kind, "member": name, "key": key})
        if not as_json:
            screen.print(f"Taken: {kind} of [bold]{escape(name)}[/]{f', key {key}' if key else ''}", soft_wrap=True)
    if as_json:
        print_json(taken)
        return
    screen.print("`cohortium coordinator publish` makes the next version of the roster of all that waits.", style="dim")


@coordinator_app.command("revoke")
def coordinator_revoke(
    folder: CoordinatorBefore, member: Annotated[str, typer.Argument(help="Its short name.")], as_json: Json = False
) -> None:
    """Leave a member out of the next version: nothing that it signs counts from there on."""
    from server.running.enrolment import Enrolment

    Enrolment(folder).revoke(member)
    text = f"{escape(member)} will be left out of the next version. `cohortium coordinator publish` makes it."
    tell({"revoked": member}, text, as_json)


@coordinator_app.command("readmit")
def coordinator_readmit(
    folder: CoordinatorBefore, member: Annotated[str, typer.Argument(help="Its short name.")], as_json: Json = False
) -> None:
    """Ask a holder again that was proved false, or was ready and then silent twice: when you know what it was."""
    import time

    from privacy.ledger import Readmitted
    from server.running.folder import CoordinatorFolder

    place = CoordinatorFolder(root=folder)
    with place.locked():
        ledger = place.ledger()
        out = ledger.state.losses.readmissible
        if member not in out:
            raise ConfigError(
                f"{member} is asked to take part already",
                hint=f"not asked are: {', '.join(sorted(out)) or 'none'}",
            )
        ledger.append(Readmitted(member=member, time=int(time.time())))
    tell({"readmitted": member}, f"{escape(member)} is asked again, and that is written into the ledger.", as_json)


@coordinator_app.command("rotate-key")
def coordinator_rotate_key(folder: CoordinatorPath, as_json: Json = False) -> None:
    """Make a new signing key for the coordinator; it counts from the next version on, which the old key signs."""
    from privacy.protocol.membership import Rotation, fingerprint
    from server.running.enrolment import Enrolment

    enrolment = Enrolment(folder)
    change = enrolment.member.rotate()
    enrolment.take(change)
    key = fingerprint(Rotation.parse(change.rotation.body).new_key)
    text = "A new key waits. `cohortium coordinator publish` makes the version that lists it."
    tell({"key": key}, text, as_json)


@coordinator_app.command("publish")
def coordinator_publish(folder: CoordinatorPath, as_json: Json = False) -> None:
    """Sign the next version of the roster, to be sent to every member. Each of them decides whether to accept it."""
    from privacy.member_rosters import members_as_json, show_members
    from server.running.enrolment import Enrolment

    enrolment = Enrolment(folder)
    before = enrolment.member.roster()
    _, update = enrolment.publish()
    warn_of_certificate(folder)
    path = folder / "rosters" / f"roster-v{update.roster.version}.json"
    if as_json:
        print_json({"file": str(path), **members_as_json(update, before)})
        return
    show_members(update, before)
    wrote(path, "Send it to every member. They compare its fingerprint with each other, not with you.")


@coordinator_app.command("renew-certificate")
def coordinator_renew_certificate(
    folder: CoordinatorPath,
    all_joined: Annotated[
        bool,
        typer.Option(
            "--all-joined", help="Change now: every holder's operator says that it joined the version with both."
        ),
    ] = False,
    days: Annotated[int, typer.Option(help="How long the new one is valid.", min=1, max=825)] = 825,
    as_json: Json = False,
) -> None:
    """Put a new authority and certificate in the server's place, step by step, without stopping anything."""
    from server.running.enrolment import Enrolment
    from server.running.renewal import Renewal

    renewal = Renewal(folder)
    if not renewal.under_way and not renewal.to_drop:
        renewal.begin(host=Enrolment(folder).config.host, days=days)
        step = "begun"
        text = "A new authority waits. `cohortium coordinator publish` makes the version that carries both."
    elif renewal.to_drop:
        step = "changed"
        text = "The server has its new certificate. `cohortium coordinator publish` drops the old authority."
    elif renewal.ready or all_joined:
        renewal.switch()
        step = "changed"
        text = (
            "The server shows its new certificate; `serve` takes it up within seconds. "
            "`cohortium coordinator publish` drops the old authority."
        )
    else:
        published = "" if renewal.carried_since else " `cohortium coordinator publish` sends it to them first."
        step = "waiting"
        text = (
            f"The server changes by itself when these have joined the version with both authorities and been asked in "
            f"a study: {escape(', '.join(renewal.waiting_for()))}.{published}"
        )
    tell({"step": step, "waiting_for": renewal.waiting_for() if step == "waiting" else ()}, text, as_json)


@coordinator_app.command("serve")
def coordinator_serve(
    folder: CoordinatorPath,
    gateway: Annotated[
        bool, typer.Option(help="Open the port that partners reach; not where a proxy of your own does (nginx).")
    ] = True,
    superlink_port: Annotated[
        int | None, typer.Option(help="Where Flower's SuperLink listens on loopback, for such a proxy.", min=1024)
    ] = None,
) -> None:
    """Keep the federation reachable until stopped: members' nodes connect, and `study run --coordinator` uses it."""
    import logging
    import signal
    import threading

    from server.running.serve import serve

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serve(folder, stop=stop, with_gateway=gateway, superlink_port=superlink_port)


@coordinator_app.command("gateway")
def coordinator_gateway(
    listen: Annotated[str, typer.Option(help="HOST:PORT that partners reach.")],
    superlink: Annotated[str, typer.Option(help="HOST:PORT of the SuperLink, on loopback.")],
    authority: Annotated[Path, typer.Option(help="What the SuperLink's certificate is checked with.")],
    certificate: Annotated[Path, typer.Option(help="The certificate that partners are shown.")],
    key: Annotated[Path, typer.Option(help="Its private key.")],
    nodes: Annotated[Path, typer.Option(help="The list of nodes that `serve` keeps in the folder flower/.")],
) -> None:
    """Serve the gateway alone, for a container of its own beside `serve --no-gateway`, until stopped."""
    from server.flower.gateway import main

    options = {
        "--listen": listen, "--superlink": superlink, "--authority": authority, "--certificate": certificate,
        "--key": key, "--nodes": nodes,
    }  # fmt: skip
    main([str(word) for option in options.items() for word in option])


def warn_of_certificate(folder: Path) -> None:
    """Say when the end of the server's certificate is near."""
    from server.running.renewal import Renewal

    warning = Renewal(folder).warning()
    if warning is not None:
        errors.print(f"[yellow]Warning:[/] {escape(warning[1])}", soft_wrap=True)


@coordinator_app.command("status")
def coordinator_status(folder: CoordinatorPath, as_json: Json = False) -> None:
    """Whether the federation is served, who is online, who is waited for, and the last runs. Asks nobody."""
    from server.running.folder import CoordinatorFolder
    from server.running.state import state_of
    from server.running.state_screen import show_state

    state = state_of(CoordinatorFolder(root=folder))
    if as_json:
        print_json(state.model_dump(mode="json"))
    else:
        show_state(state)
