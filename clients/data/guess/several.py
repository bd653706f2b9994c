"""Several sources of one holder: a guess for each, and whether their ids say who is who."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from clients.data.cleaning.lines import EXCLUDED, KEPT
from clients.data.config import HolderConfig
from clients.data.guess import names as guess_names
from clients.data.guess.asking import not_lost
from clients.data.guess.confidence import SURE
from clients.data.guess.draft import holder_toml, noted
from clients.data.guess.guess import Said, holder_name, place_for, settled_guess, try_out
from clients.data.guess.nouns import Guess, Question
from clients.data.origin import Origin, plain_study
from clients.data.several.rows import open_lines
from clients.data.sources import fetch
from privacy.errors import ConfigError

#: From this share of ids at two sources on, equal ids are taken for one customer.
_SHARED = 0.01


def new_holder_of_several(urls: Sequence[str], *, output: Path, said: Said, overwrite: bool = False) -> HolderConfig:
    """Inspect several sources, ask what cannot be guessed, and write one ``holder.toml``.

    Args:
        urls: of each source, as of ``new_holder_file``.
        output: the file to write.
        said: of the holder; an answer under a source's name, such as ``tills.columns.time``, is of that source alone.
        overwrite: whether an existing file is replaced.

    Raises:
        ConfigError: if the file exists, or an answer cannot be used.
        DataError: if a source cannot be read, or something is left that has no best guess.
    """
    if said.table is not None:
        raise ConfigError(
            "--table is of one source", hint="give tables of databases in holder.toml, or a source at a time"
        )
    base, names = place_for(output, overwrite=overwrite), names_of(urls)
    with not_lost(said.kept):
        guesses = {}
        for url, name in zip(urls, names, strict=True):
            own = Said(
                holder=name,
                password=said.password if "://" in url else {},
                answers=_of_source(said.answers, name, names),
                ask=None if said.ask is None else _about(name, said.ask),
                kept=said.kept.under(name),
            )
            guesses[name] = settled_guess(url, base, own)
        text = _several_toml(said.holder or holder_name(str(base)), guesses)
        config = HolderConfig.model_validate(tomllib.loads(text, parse_float=Decimal))
        for source in config.sources:
            text += noted(try_out(config.of_source(source), base))
    output.write_text(text + _who_is_who(config, guesses, base), encoding="utf-8")
    return config


def names_of(urls: Sequence[str]) -> list[str]:
    """A name for each source, from its URL; with a number where two would be alike."""
    found: list[str] = []
    for url in urls:
        name = holder_name(url)
        same = sum(re.sub(r"-\d+$", "", other) == name for other in found)
        found.append(f"{name[:60]}-{same + 1}" if same else name)
    return found


def _of_source(answers: Mapping[str, str], name: str, names: Sequence[str]) -> dict[str, str]:
    """Answers of all sources, and those under one's name."""
    common = {key: answer for key, answer in answers.items() if key.partition(".")[0] not in names}
    own = {key.partition(".")[2]: answer for key, answer in answers.items() if key.partition(".")[0] == name}
    return common | own


def _about(name: str, ask: Callable[[Question], str]) -> Callable[[Question], str]:
    def asked(question: Question) -> str:
        return ask(replace(question, text=f"{name}: {question.text}"))

    return asked


def _several_toml(holder: str, guesses: Mapping[str, Guess]) -> str:
    """All drafts as one file: every table of a source becomes one of ``[[sources]]``."""
    quoted = json.dumps(holder)
    text = [
        "# Written by `cohortium holder new`: guesses with their reasons. Mend what is wrong, then run\n"
        f"#   cohortium holder check holder.toml\nholder = {quoted}\n"
    ]
    for name, guess in guesses.items():
        draft = holder_toml(guess)
        own = draft[draft.index("[source]") :]
        own = own.replace("[source]", f"[[sources]]\nname = {json.dumps(name)}", 1)
        own = re.sub(r"^(# )?(\[\[?)source\.", r"\1\2sources.", own, flags=re.M)
        text.append(re.sub(r"^\[columns\]", "[sources.columns]", own, flags=re.M))
    return "\n".join(text)


def _who_is_who(config: HolderConfig, guesses: Mapping[str, Guess], base: Path) -> str:
    """A comment: whether equal ids are one customer, or a key to persons is needed."""
    with open_lines(Origin(config, plain_study(config), base)) as opened:
        lines = opened.table
        known = lines.filter((lines.rule == KEPT) | (lines.rule >= EXCLUDED))
        each = known.group_by("customer").agg(sources=known.raw_source.nunique())
        counts = each.aggregate(ids=each.count(), shared=(each.sources > 1).sum())
        [found] = fetch(counts, what="comparing ids").to_pylist()
    ids, shared = found["ids"] or 0, found["shared"] or 0
    if shared > _SHARED * ids:
        return f"\n# likely: {shared:,} of {ids:,} ids are at several sources, so equal ids are one customer\n"
    lines_of = [
        f"\n# PLEASE CHECK: {shared:,} of {ids:,} ids are at several sources. Who is who? Without an answer a",
        "# customer of two sources counts as two. Either a table says it:",
        "# [person]",
        '# url = "..."',
        f'# columns = {{person = "...", {", ".join(f"{name} = " + chr(34) + "..." + chr(34) for name in guesses)}}}',
    ]
    common = set.intersection(*({item.lower() for item in guess.names} for guess in guesses.values()))
    telling = sorted(name for name in common if guess_names.score("customer", name) > SURE)
    also = (
        f": all sources have {', '.join(json.dumps(item, ensure_ascii=False) for item in telling)}" if telling else ""
    )
    lines_of.append(f"# or one column of every source does, mapped as customer (or as person){also}")
    return "\n".join(lines_of) + "\n"
