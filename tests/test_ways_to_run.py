"""Containers, units, proxy and scripts of ``examples/consortium``: they name what exists, and their checkers pass."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
import typer
import yaml

import cohortium

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "consortium"
GUIDES = (ROOT / "docs" / "operate-coordinator.md", ROOT / "docs" / "operate-holder.md")


def check_command(words: list[str]) -> None:
    """A command line of ours: the command exists, and so does each of its options."""
    command: click.Command = typer.main.get_command(cohortium.app)
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


def test_the_image_is_built_from_what_is_here() -> None:
    text = (EXAMPLE / "Dockerfile").read_text(encoding="utf-8")
    copied = [word for line in text.splitlines() if line.startswith("COPY") for word in line.split()[1:-1]]
    assert copied
    for name in copied:
        assert (ROOT / name).exists(), name
    instructions = {line.split()[0] for line in re.sub(r"\\\n", " ", text).splitlines() if line and line[0] not in "# "}
    assert instructions <= {"FROM", "COPY", "RUN", "USER", "WORKDIR", "ENV", "STOPSIGNAL", "ENTRYPOINT", "CMD"}
    assert text.index("USER cohortium") < text.index("ENTRYPOINT"), "not root"


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
