"""A small shop with purchases, people and visits, its tags, and whom each of some rules is true for."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from clients.tagging.setting import TagSetting
from clients.tags.config import TagsFile

HOLDER = """
holder = "shop"
[source]
url = "sales.csv"
currency_code = "EUR"
time_zone = "Europe/Berlin"
exclude = "opt-out.csv"
[columns]
customer = "customer"
order = "order"
time = "time"
amount = "amount"
category = "category"
[customers]
url = "people.csv"
columns = {customer = "id", region = "region", born = "born", company = "company"}
[values.customer.region]
Norden = "north"
N = "north"
Hamburg = "south"
[events.session]
url = "visits.csv"
columns = {customer = "who", time = "at", seconds = "seconds", page = "page"}
"""
SALES = """customer,order,time,amount,category
ann,1,2024-01-05 10:00:00,20.00,toys
ann,1,2024-01-05 10:00:00,5.00,food
ann,2,2024-03-01 18:30:00,30.10,Toys
bob,3,2024-02-29 23:30:00,100.00,food
 17.0,4,2024-03-10 09:00:00,9.99,
=cmd,5,2023-12-01 09:00:00,1.00,"a=b"
zoe,6,2024-03-20 12:00:00,50.00,food
"""
PEOPLE = """id,region,born,company
ann,Norden,1990-03-25,no
ann,N,1990-03-25,no
bob,Hamburg,24.03.1985,yes
bob,Norden,,
17,,2000,
visitor,n,,0
zoe,N,1999-01-01,1
"""
VISITS = """who,at,seconds,page
ann,2024-03-01 18:00:00,30,list
ann,2024-03-02 18:00:00,90,detail
visitor,2024-03-23 23:59:59,200,detail
visitor,2024-03-24 00:00:00,999,detail
zoe,2024-03-20 11:00:00,5,detail
"""
TAGS = """
[[tag]]
code = "frequent"
kind = "fact"
value = "count(order)"
bands = [1, 2]
en = "Orders"
zh = "下单次数"
[[tag]]
code = "lately"
when = "days_since(order) < 24 or count(session, -24) > 0"
[[tag]]
code = "lately_often"
when = "tag('lately') and orders >= 2"
[[tag]]
code = "sketch"
state = "draft"
when = "money > 25"
[[group]]
code = "call"
when = "tag('lately') and not customer.company"
"""
DAY = dt.date(2024, 3, 24)


def shop(folder: Path, tags: str = TAGS, labels: str = "") -> Path:
    for name, text in {
        "holder.toml": HOLDER, "sales.csv": SALES, "people.csv": PEOPLE, "visits.csv": VISITS, "opt-out.csv": "zoe\n",
        "tags.toml": tags, "labels.toml": labels,
    }.items():  # fmt: skip
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def of(folder: Path, *rules: str, day: dt.date = DAY) -> list[set[str]]:
    """Who each rule is true for."""
    file = TagsFile.model_validate({"tag": [{"code": f"t{n}", "when": rule} for n, rule in enumerate(rules)]})
    setting = TagSetting.read(folder, day, file=file)
    found = setting.evaluate(setting.rules())
    ids = found.customers.ids.to_pylist()
    return [{one for one, value in zip(ids, found.values[f"t{n}"], strict=True) if value} for n in range(len(rules))]


RULES = {
    "orders >= 0": {"ann", "bob", "17", "=cmd", "visitor"},
    "count(order[category = 'toys']) = 2": {"ann"},
    "sum(order[category = ' TOYS '].amount) = 50.1": {"ann"},
    "sum(order.amount, -23) = 30.1": {"ann"},
    "sum(order.amount, '2024-03-01', '2024-03-02') > 0": {"ann"},
    "count(order, -24) >= 1": {"ann", "bob", "17"},  # 29 February begins 24 days before, at midnight in Berlin
    "count(order, -23, -14) >= 1": {"ann"},
    "max(order.amount) = 30.1": {"ann"},  # an order's lines are added up first
    "max(order[category = 'toys'].amount) = 30.1 and min(order.amount) = 25": {"ann"},
    "mean(order.amount) = 27.55": {"ann"},
    "share(order[category = 'toys' and hour >= 18]) = 0.5": {"ann"},
    "share(order[weekday = 5]) >= 0.5": {"ann", "=cmd"},
    "count(order[category != 'food']) >= 1": {"ann", "=cmd"},  # where no category is known, nothing is unequal
    "count(order[known(category)]) = 0 and orders > 0": {"17"},
    "count(order[category = 'a=b']) = 1": {"=cmd"},
    "count(order[amount > 5.005 and not amount >= 100]) >= 1": {"ann", "17"},
    "days_since(order) = 13": {"17"},
    "customer.region = 'north'": {"ann", "visitor"},  # both spellings; bob's rows do not agree
    "customer.region = 'Norden'": set(),
    "known(customer.region)": {"ann", "visitor"},
    "not customer.region = 'south'": {"ann", "visitor"},
    "not customer.company": {"ann", "visitor"},
    "customer.company": {"bob"},
    "customer.birthday = 1": {"ann"},
    "customer.birthday = 0 and customer.age = 39": {"bob"},
    "customer.age = 24": {"17"},
    "count(session[page = 'detail'], -30) = 1": {"ann", "visitor"},  # what is of the day itself is not seen
    "mean(session.seconds) = 60": {"ann"},
    "sum(session.seconds) = 200": {"visitor"},
    "days_since(session) = 0": {"visitor"},
    "orders = 0 and known(days_since(session)) and not known(recency_days)": {"visitor"},
    "loyalty > 0.1": {"ann"},
}
