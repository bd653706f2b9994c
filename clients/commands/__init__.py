"""Commands of a data holder; ``cohortium.command`` mounts them as ``cohortium holder``."""

from __future__ import annotations

from clients.commands import campaigns, care, setup, studies
from clients.commands.tags import tags_app
from privacy.member_commands import add_member_commands
from privacy.presentation.terminal import command_group

holder_app = command_group("holder", "Check data, answer studies, label customers (data holder).")
holder_app.command("check")(setup.holder_check)
holder_app.command("init")(setup.holder_init)
holder_app.command("declare")(setup.holder_declare)
holder_app.command("persons")(setup.holder_persons)
add_member_commands(
    holder_app,
    "holder",
    join="Check a version of the roster, compare its fingerprint, and put it in force. The node takes it up by itself.",
    rotate_key="Make new keys, and the old key's word for them. They count when a version of the roster lists them.",
)
holder_app.command("leave")(setup.holder_leave)
holder_app.command("status")(studies.holder_status)
holder_app.command("studies")(studies.holder_studies)
holder_app.command("approve")(studies.holder_approve)
holder_app.command("deny")(studies.holder_deny)
holder_app.command("losses")(studies.holder_losses)
holder_app.command("recover")(care.holder_recover)
holder_app.command("node")(studies.holder_node)
holder_app.command("labels")(studies.holder_labels)
holder_app.command("contacts")(campaigns.holder_contacts)
holder_app.command("effect")(campaigns.holder_effect)
holder_app.command("report")(studies.holder_report)
holder_app.command("exclude")(care.holder_exclude)
holder_app.command("forget")(care.holder_forget)
holder_app.command("new")(setup.holder_new)
holder_app.add_typer(tags_app)
