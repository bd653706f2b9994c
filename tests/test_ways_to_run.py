"""Containers, units, proxy and scripts of ``examples/consortium``: they name what exists, and their checkers pass."""

from __future__ import annotations

import functools
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest
import typer
import yaml

import cohortium

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "consortium"
#: Every document that tells commands, but for what changed.
GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@functools.cache
def whole_command() -> click.Command:
    """The whole command; made once, since that takes a fifth of a second."""
    return typer.main.get_command(cohortium.app)


def check_command(words: list[str]) -> None:
    """A command line of ours: the command exists, and so does each of its options."""
    command = whole_command()
    words = list(words)
    while isinstance(command, click.Group) and words:
        name = words.pop(0)
        assert name in command.commands, f"there is no `{name}`"
        command = command.commands[name]
    options = {opt for parameter in command.params for opt in (*parameter.opts, *parameter.secondary_opts)}
    options.add("--help")
    for word in words:
        if word.startswith("--"):
            assert word.split("=")[0] in options, f"{command.name} has no {word}"


def commands_in(text: str) -> list[list[str]]:
    """Command lines that begin with ``cohortium``, in a script or in a page's blocks."""
    joined = re.sub(r"\\\n\s*", " ", text)
    found = []
    for line in joined.splitlines():
        line = re.split(r"\s+#|\||>|;|&|`", line.split("# ", 1)[0] if line.lstrip().startswith("#") else line)[0]
        match = re.search(r"(?:^|\s)(?:/opt/cohortium/bin/)?cohortium (.+)$", line)
        if match and re.match(r"[a-z]+( |$)", match[1]):
            found.append(shlex.split(match[1]))
    return found


def test_every_command_that_an_operator_is_told_to_type_exists() -> None:
    seen = 0
    for path in (*GUIDES, EXAMPLE / "run.sh", *EXAMPLE.glob("*.service")):
        for words in commands_in(path.read_text(encoding="utf-8")):
            check_command(words)
            seen += 1
    assert seen >= 30
    with pytest.raises(AssertionError):
        check_command(["coordinator", "serve", "x", "--nonsense"])


def test_blocks_marked_sh_are_run() -> None:
    """In documents that are run from their first to their last line; elsewhere commands stand for what a reader has."""
    marked = {path.relative_to(ROOT).as_posix() for path in GUIDES if re.search("^```sh$", path.read_text(), re.M)}
    run = {"docs/first-evening.md", "docs/rehearsal.md", "docs/schedule.md", "docs/tags.md"}  # `make wheel`: the second
    same = {f"docs/zh/{name}.md" for name in ("first-evening", "labels", "schedule", "tags")}  # word for word
    assert marked == run | same


def test_the_script_is_shell() -> None:
    subprocess.run(["sh", "-n", str(EXAMPLE / "run.sh")], check=True)
    told = subprocess.run(["sh", str(EXAMPLE / "run.sh")], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "usage: examples/consortium/run.sh" in told.stdout


def test_compose_has_a_coordinator_its_gateway_and_three_holders_that_publish_nothing() -> None:
    parsed = yaml.safe_load((EXAMPLE / "compose.yaml").read_text(encoding="utf-8"))
    services = parsed["services"]
    holders = {name: service for name, service in services.items() if service["command"][:2] == ["holder", "node"]}
    assert len(holders) == 3
    assert set(services) - set(holders) == {"coordinator", "gateway"}
    assert all("ports" not in service for service in holders.values())
    assert services["coordinator"]["ports"] == ["9443:9443"]
    for service in services.values():
        check_command([str(word) for word in service["command"]])
    from server.flower.gateway import gateway_command

    ours = [word for word in gateway_command(listen="", superlink="", authority=Path(), keys=Path(), nodes=Path())
            if word.startswith("--")]  # fmt: skip
    assert [word for word in services["gateway"]["command"] if str(word).startswith("--")] == ours


def test_the_images_are_built_from_what_is_here() -> None:
    """``.ci/try-image`` builds them, where it can."""
    text = (EXAMPLE / "Dockerfile").read_text(encoding="utf-8")
    copies = [line for line in text.splitlines() if line.startswith("COPY") and "--from" not in line]
    copied = [word for line in copies for word in line.split()[1:-1]]
    assert copied
    for name in copied:
        assert (ROOT / name).exists(), name
    for stage in text.split("\nFROM ")[-2:]:  # what is kept: not root, and no step after that
        assert stage.index("USER cohortium") > stage.rindex("RUN ")


def test_a_health_check_sees_who_listens_and_who_is_connected() -> None:
    def healthy(question: str, port: int) -> bool:
        command = [sys.executable, "-I", str(EXAMPLE / "healthy.py"), question, str(port)]
        return subprocess.run(command, check=False, timeout=60).returncode == 0

    if not Path("/proc/net/tcp").exists():
        pytest.skip("the kernel's tables are Linux's")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert healthy("listens", port)
        assert not healthy("connected", port)
        with socket.create_connection(("127.0.0.1", port)):
            assert healthy("connected", port)
    assert not healthy("listens", port)


@pytest.mark.parametrize("unit", sorted(EXAMPLE.glob("*.service")), ids=lambda path: path.name)
def test_units_verify(unit: Path, tmp_path: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    assert "Restart=on-failure" in text
    checker = shutil.which("systemd-analyze")
    if checker is None:
        pytest.skip("systemd-analyze is not here")
    true = shutil.which("true")
    copy = tmp_path / unit.name
    copy.write_text(re.sub(r"ExecStart=\S+", f"ExecStart={true}", text).replace("User=cohortium", "User=root"))
    done = subprocess.run([checker, "verify", str(copy)], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if unit.name in line]
    assert not said, said


def test_nginx_passes_on_the_same_calls_and_no_others(tmp_path: Path) -> None:
    from server.flower.certificates import write_certificates
    from server.flower.gateway import FLEET_CALLS

    text = (EXAMPLE / "nginx.conf").read_text(encoding="utf-8")
    assert {path.encode() for path in re.findall(r"location = (\S+)", text)} == FLEET_CALLS.keys()
    assert re.findall(r"location ([^=]\S*)", text) == ["/"]
    for path in re.findall(r"proxy_pass https://superlink(\S+);", text):
        assert path.encode() in FLEET_CALLS
    nginx = shutil.which("nginx")
    if nginx is None:
        pytest.skip("nginx is not here")
    write_certificates(tmp_path)
    text = re.sub(r"/var/lib/cohortium/coordinator/(?:keys|flower)", str(tmp_path), text)
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid;\nerror_log stderr;\n{text}")
    done = subprocess.run(
        [nginx, "-t", "-c", str(tmp_path / "nginx.conf")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
