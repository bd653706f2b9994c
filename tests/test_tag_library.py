"""Every tag of the library has the customers of hand-written SQL over what a generated world truly is."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import duckdb
import pytest
from tag_world import AS_OF, evaluated, setting, tagged

from clients.tags.library import fitting, library
from privacy.tags.tree import RuleError
from simulations.worlds.clean_feeds import clean_of
from simulations.worlds.generator import GeneratedWorld, generate

#: Over views of the clean feeds (one row an event; ``line`` one a purchase line) and of people: who has the tag, and at
#: which level where there are some. ``{90}`` is the start of the day 90 days before, on the holder's clock.
BY_HAND = {
    "order_level": "SELECT customer, (n >= 1)::int + (n >= 2)::int + (n >= 4)::int + (n >= 10)::int FROM buyer",
    "spend_level": """SELECT customer,
        (q >= 500000)::int + (q >= 2000000)::int + (q >= 5000000)::int FROM (
        SELECT customer, (sum(quanta) + 50) // 100 * 100 AS q
        FROM (SELECT *, min(time) OVER (PARTITION BY customer, "order") AS opened FROM line)
        WHERE opened >= {365} GROUP BY 1) WHERE q >= 500000""",
    "age_level": """SELECT customer,
        (a >= 18)::int + (a >= 26)::int + (a >= 36)::int + (a >= 46)::int + (a >= 56)::int
        FROM (SELECT customer, date_sub('year', born, DATE '2025-01-01') AS a FROM customer) WHERE a >= 18""",
    "women": "SELECT customer FROM customer WHERE gender = 'female'",
    "company": "SELECT customer FROM customer WHERE company",
    "regular": "SELECT customer FROM buyer WHERE n >= 3",
    "often_and_cheap": "SELECT customer FROM buyer WHERE n >= 4 AND minor // n < 4000",
    "rarely_and_dear": "SELECT customer FROM buyer WHERE n <= 2 AND minor // n >= 8000",
    "bargain_hunter": """SELECT customer FROM line WHERE bought GROUP BY 1
        HAVING count(*) FILTER (discount) * 2 >= count(*) AND count(DISTINCT "order") >= 2""",
    "one_order_middling": "SELECT customer FROM buyer WHERE days > 90 AND n = 1 AND minor >= 2000 AND minor < 8000",
    "top_level": "SELECT customer FROM buyer WHERE days <= 60 AND n >= 4 AND minor >= 15000",
    "promising": "SELECT customer FROM buyer WHERE days <= 60 AND n <= 2 AND minor >= 6000",
    "third_repurchase": "SELECT customer FROM buyer WHERE n = 4",
    "birthday_soon": "SELECT customer FROM customer WHERE NOT year_only AND month(born) = 1 AND day(born) <= 15",
    "summer_clothes": """SELECT DISTINCT customer FROM line WHERE bought AND category = 'clothes'
        AND month(time) IN (6, 7, 8) AND time >= {365}""",
    "friday_buyer": """SELECT customer FROM line WHERE bought AND time >= {365} GROUP BY 1
        HAVING count(DISTINCT "order") FILTER (isodow(time) = 5) * 2 >= count(DISTINCT "order")
        AND count(DISTINCT "order") > 1""",
    "mild_churn": "SELECT customer FROM buyer WHERE days BETWEEN 30 AND 60 AND n >= 2",
    "medium_churn": "SELECT customer FROM buyer WHERE days BETWEEN 61 AND 120 AND n >= 2",
    "heavy_churn": "SELECT customer FROM buyer WHERE days > 120 AND n >= 2",
    "first_days": "SELECT customer FROM buyer WHERE n = 1 AND since IN (3, 7)",
    "favourite_toys": """SELECT customer FROM line JOIN buyer USING (customer) WHERE bought AND days > 60 GROUP BY 1
        HAVING count(DISTINCT "order") FILTER (category = 'toys') * 2 >= count(DISTINCT "order")""",
    "both_channels": """SELECT customer FROM line WHERE bought AND time >= {365} GROUP BY 1
        HAVING bool_or(channel = 'app') AND bool_or(channel = 'web')""",
    "price_newcomer": """SELECT customer FROM view WHERE time >= {90} AND customer NOT IN (SELECT customer FROM buyer)
        GROUP BY 1 HAVING bool_or(price < 200000) AND NOT bool_or(price >= 500000)""",
    "quality_newcomer": """SELECT DISTINCT customer FROM view WHERE time >= {90} AND price >= 200000 AND seconds >= 60
        AND customer NOT IN (SELECT customer FROM buyer)""",
    "looked_not_bought": """SELECT customer FROM view WHERE time >= {30} AND page = 'detail'
        AND customer NOT IN (SELECT customer FROM line WHERE bought AND time >= {30}) GROUP BY 1
        HAVING count(*) >= 2""",
    "fell_silent": """SELECT customer FROM session GROUP BY 1
        HAVING count(*) FILTER (time >= {60} AND time < {30}) >= 2 AND count(*) FILTER (time >= {30}) = 0""",
    "fewer_views": """SELECT customer FROM view GROUP BY 1
        HAVING count(*) FILTER (time >= {120} AND time < {60}) > 4 AND count(*) FILTER (time >= {60}) = 0""",
    "unhappy": """SELECT customer FROM rating WHERE stars <= 2 AND time >= {365}
        UNION SELECT customer FROM return WHERE time >= {365} GROUP BY 1 HAVING count(*) >= 2""",
    "asked_lately": "SELECT DISTINCT customer FROM contact WHERE time >= {31} + INTERVAL 1 MICROSECOND",
    "written_lately": "SELECT DISTINCT customer FROM sent WHERE time >= {60}",
    "loves_food": """SELECT customer FROM view WHERE category = 'food' AND time >= {90} GROUP BY 1 HAVING count(*) >= 2
        UNION SELECT customer FROM line WHERE bought AND category = 'food' AND time >= {365} GROUP BY 1
        HAVING count(DISTINCT "order") >= 2""",
    "win_back": """SELECT customer FROM buyer WHERE days BETWEEN 61 AND 120 AND n >= 3 AND customer NOT IN (
        SELECT customer FROM rating WHERE stars <= 2 AND time >= {365}
        UNION SELECT customer FROM return WHERE time >= {365} GROUP BY 1 HAVING count(*) >= 2)""",
}  # fmt: skip

_BUYERS = """CREATE VIEW buyer AS SELECT customer, count(DISTINCT "order") FILTER (bought) AS n,
    ((sum(quanta) + 50) // 100)::BIGINT AS minor,
    (epoch_us({0}) - epoch_us(max(time) FILTER (bought))) // 86400000000 AS days,
    (epoch_us({0}) - epoch_us(min(time) FILTER (bought))) // 86400000000 AS since
    FROM line GROUP BY 1 HAVING count(*) FILTER (bought) > 0"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> GeneratedWorld:
    return generate(tmp_path_factory.mktemp("world"), customers=1500, feeds=True)


def clock(zone: str) -> dict[str, str]:
    """Starts of days before the study's, as the holder's clock showed them."""
    starts = {}
    for days in range(400):
        start = dt.datetime.combine(AS_OF - dt.timedelta(days=days), dt.time(), tzinfo=dt.UTC)
        starts[f"{{{days}}}"] = f"TIMESTAMP '{start.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None)}'"
    return starts


def by_hand(world: GeneratedWorld, holder: str, code: str) -> dict[str, int]:
    clean = clean_of(world.folder, holder, world.as_of)

    def said(text: str) -> str:
        for name, start in clock(clean.zone).items():
            text = text.replace(name, start)
        return text

    with duckdb.connect() as database:
        for feed, frame in clean.feeds.items():
            database.register(f"{feed}_rows", frame)
            name = "line" if feed == "order" else feed
            database.execute(f"CREATE VIEW {name} AS SELECT * FROM {feed}_rows")
        if "customer" in clean.feeds:  # a CSV holder knows the years of birth only
            born = clean.feeds["customer"]["born"].dropna()
            years_only = all(day.month == day.day == 1 for day in born)
            database.execute(
                f"CREATE OR REPLACE VIEW customer AS SELECT *, {years_only} AS year_only FROM customer_rows"
            )
        database.execute(said(_BUYERS))
        return {row[0]: row[1] if len(row) > 1 else 1 for row in database.execute(said(BY_HAND[code])).fetchall()}


@pytest.mark.parametrize("holder", ["online", "store-1", "store-2", "store-3"])
def test_tags_are_those_of_sql_by_hand(world: GeneratedWorld, holder: str) -> None:
    tags = fitting(setting(world.folder / holder, []).words)
    assert len(tags) >= (20 if holder != "store-3" else 15)
    found = evaluated(world, holder, [tag.model_dump() for tag in tags])
    sizes = {}
    for tag in tags:
        expected = by_hand(world, holder, tag.code)
        assert tagged(found, tag.code) == expected, tag.code
        sizes[tag.code] = len(expected)
    if holder == "online":
        assert [code for code, size in sizes.items() if not size] == []


def test_the_library_is_told_in_both_languages_and_known_by_hand() -> None:
    with_labels = {"likely_to_leave", "important_and_quiet"}
    assert {one.tag.code for one in library()} == set(BY_HAND) | with_labels
    assert len(library()) >= 20
    for one in library():
        assert all((one.tag.en, one.tag.zh, one.tag.why_en, one.tag.why_zh, one.answers)), one.tag.code
        assert one.answers
    quoted = {27, 37, 38, 39, 40, 41, 42, 43, 44, 45, 53, 54, 66, 67, 73, 78, 79, 81, 91, 94}
    assert quoted <= {row for one in library() for row in one.answers}


def test_what_a_holder_has_no_feed_for_is_left_out(world: GeneratedWorld) -> None:
    words = setting(world.folder / "store-3", []).words
    left_out = {one.tag.code for one in library()} - {tag.code for tag in fitting(words)}
    assert {"fell_silent", "price_newcomer", "likely_to_leave"} <= left_out
    assert words.absent["session"] == "add [events.session] to holder.toml"
    assert RuleError.exit_code == 3
