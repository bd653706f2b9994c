"""Which column is the time, the order, the customer, and what else lines say."""

from __future__ import annotations

from clients.data.guess import names as guess_names
from clients.data.guess.confidence import SURE
from clients.data.guess.evidence import Candidates, score
from clients.data.guess.nouns import Guessed
from clients.data.guess.sample import Sample


def time_of(sample: Sample) -> Guessed | None:
    """The time of an order."""
    found = Candidates("time", sample)
    for name, look in sample.looks.items():
        if look.kind != "time":
            continue
        named = guess_names.score("time", name)
        against = any(item in guess_names.words(name) for item in guess_names.AGAINST["time"])
        kind = "holds times of another matter, by its name" if against else "holds times"
        seen = {kind: 1.0, "name": named, "gaps": 1 - look.filled}
        found.add(name, seen, "holds times" + (", and its name says so" if named > SURE else ""))
    return found.best()


def order_of(sample: Sample, time: str | None) -> Guessed | None:
    """The id of an order: its lines share their time."""
    found = Candidates("order", sample, above=0.3)
    for name in sample.keys:
        named = guess_names.score("order", name)
        together = sample.share_with_one(name, time) if time is not None else None
        look = sample.looks[name]
        if look.filled < 0.5:
            continue
        if together is None:  # no value, or hardly one, on several rows
            often = "never" if look.distinct > 0.95 else "hardly"
            found.add(name, {f"name, of values that {often} repeat": named}, "its name, and values hardly repeat")
        elif together > 0.9:
            is_key = look.distinct > 0.02 and guess_names.score("customer", name) < SURE
            seen = {
                "lines with one value share their time": float(is_key),
                "name": named,
                "nearly all of them": float(together > 0.99),
            }
            reason = "lines with the same value share their time"
            found.add(name, seen, reason + (", and its name says so" if named > SURE else ""))
        else:
            found.add(name, {"name": named * together}, "its name")
    return found.best()


def customer_of(sample: Sample, time: str | None, order: str | None) -> Guessed | None:
    """The id of a customer: one an order, and it comes back at other times, which tells it from orders."""
    found = Candidates("customer", sample, above=0.3)
    for name in sample.keys:
        if name == order:
            continue
        named = guess_names.score("customer", name)
        one = sample.share_with_one(order, name) if order is not None else None
        if not named and (
            one is None or any(guess_names.score(role, name) > SURE for role in ("store", "product", "channel"))
        ):
            continue
        together = sample.share_with_one(name, time) if time is not None else None
        several = sample.looks[name].distinct > 0.01 and sample.frame[name].nunique() >= 20
        behaves = (one is None or one > 0.9) and (together is None or together < 0.95) and several
        clashes = one is not None and one < 0.7
        seen = {"name, against what orders say" if clashes else "name": named}
        if behaves:
            seen["comes back at other times, one an order"] = 1.0
        else:
            seen["name, without the behaviour"] = named
        says = [] if named < SURE else ["its name says so"]
        says += ["each order has one value"] if one is not None and one > 0.9 else []
        says += ["values come back at other times"] if together is not None and together < 0.95 else []
        found.add(name, seen, ", and ".join(says) or "its values look like it")
    _prefer_many_values(found, sample)
    return found.best()


def _prefer_many_values(found: Candidates, sample: Sample) -> None:
    """Without names, the key with the most values among those that orders agree on."""
    unnamed = [name for name in found.scores if guess_names.score("customer", name) == 0]
    distinct = {name: sample.looks[name].distinct for name in unnamed}
    for name in unnamed:
        found.scores[name] *= distinct[name] / max(distinct.values())
        found.scores[name] += score("customer", {"many values, and no name": float(distinct[name] > 0.05)})


def currency_column(sample: Sample, taken: set[str]) -> Guessed | None:
    """A column of currency codes."""
    found = Candidates("currency", sample)
    for name, look in sample.looks.items():
        if look.kind != "text" or name in taken:
            continue
        codes = look.values.dropna().astype(str).str.upper()
        share = float(codes.isin(guess_names.CURRENCIES).mean())
        if share > 0.9:
            seen = {"holds codes": share, "name": guess_names.score("currency", name)}
            found.add(name, seen, "it holds currency codes")
    return found.best()


def discount_of(sample: Sample, taken: set[str]) -> Guessed | None:
    """By name, among columns of numbers and of truth values; text could as well be the name of a campaign."""
    found = Candidates("discount", sample)
    for name, look in sample.looks.items():
        if name in taken or not (look.kind == "number" or sample.holds_truth(name)):
            continue
        named = guess_names.score("discount", name)
        if named > SURE:
            reason = "its name; a line with another value than 0 or false counts as reduced"
            found.add(name, {"name": named}, reason)
    return found.best()


def by_name(sample: Sample, role: str, taken: set[str]) -> Guessed | None:
    """A column that its name alone speaks for."""
    scores = {
        name: guess_names.score(role, name)
        for name, look in sample.looks.items()
        if name not in taken and (look.kind == "text" or (look.kind == "number" and look.whole))
    }
    best = max(scores, key=lambda name: scores[name], default=None)
    if best is None or scores[best] < SURE:
        return None
    others = tuple(sorted((n for n in scores if n != best and scores[n] > SURE), key=lambda n: -scores[n]))
    return Guessed(value=best, confidence=round(0.9 * scores[best], 2), reason="its name", alternatives=others[:3])
