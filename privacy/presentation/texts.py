"""Languages, and the texts that every page shares, in English and Chinese, side by side.

Plain text only; fields in braces are filled by ``say``. Markup belongs to the templates. A page adds its own texts to
``COMMON`` and looks them up in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Language = Literal["en", "zh"]

LANGUAGES: tuple[Language, ...] = ("en", "zh")

#: What goes into the ``lang`` attribute.
LANGUAGE_TAGS: dict[Language, str] = {"en": "en", "zh": "zh-Hans"}


class Text(NamedTuple):
    """One text in both languages, with the same fields."""

    en: str
    zh: str


COMMON: dict[str, Text] = {
    "switch": Text("Language", "语言"),
    "study": Text("Study", "分析项目"),
    "as_of": Text("Records before", "数据截止（不含当日）"),
    "holders": Text("Data holders", "数据持有方"),
    "joined": Text("{first} and {last}", "{first}和{last}"),
    "separator": Text(", ", "、"),
    "sentence_gap": Text(" ", ""),
    "none": Text("none", "无"),
    "month_1": Text("January", "一月"),
    "month_2": Text("February", "二月"),
    "month_3": Text("March", "三月"),
    "month_4": Text("April", "四月"),
    "month_5": Text("May", "五月"),
    "month_6": Text("June", "六月"),
    "month_7": Text("July", "七月"),
    "month_8": Text("August", "八月"),
    "month_9": Text("September", "九月"),
    "month_10": Text("October", "十月"),
    "month_11": Text("November", "十一月"),
    "month_12": Text("December", "十二月"),
    "customer_records": Text("Customer records", "客户记录数"),
    "orders": Text("Orders", "订单数"),
    "revenue_in": Text("Revenue, {currency}", "销售额（{currency}）"),
    "plus_minus": Text("± {margin}", "± {margin}"),
    "percent_with_margin": Text("{value}% (±\u00a0{margin})", "{value}%（±\u00a0{margin}）"),
    "value_with_margin": Text("{value} (±\u00a0{margin})", "{value}（±\u00a0{margin}）"),
    "scheme_eight": Text("Eight RFM segments", "RFM 八类客户"),
    "scheme_ten": Text("Ten segments by recency and frequency", "按 R、F 评分的十类客户"),
    "scheme_eleven": Text("Eleven segments by recency and frequency", "按 R、F 评分的十一类客户"),
    "scheme_rules": Text("Segments by the operators' own rules", "运营自定义规则分群"),
    "segment": Text("Segment", "分群"),
    "orders_per_customer": Text("Orders per record", "单条记录订单数"),
    "revenue_per_customer": Text("Revenue per record, {currency}", "单客销售额（{currency}）"),
    "revenue_per_order": Text("Revenue per order, {currency}", "客单价（{currency}）"),
    "total": Text("All segments", "全部分群"),
    "suppressed": Text(
        "Not shown: the noisy count is below the floor of {floor}.",
        "未展示：含噪记录数低于下限 {floor}。",
    ),
    "suppressed_short": Text("not shown (below {floor})", "未展示（低于 {floor}）"),
    "definition_high": Text("high", "高"),
    "definition_low": Text("low", "低"),
    "definition_eight": Text("R {r} · F {f} · M {m}", "R {r} · F {f} · M {m}"),
    "definition_grid": Text("R {r} · F {f}", "R {r} · F {f}"),
    "definition_other": Text("no rule fits", "不符合任何规则"),
    "note_records": Text(
        "Counts are of customer records: a person who is a customer at two holders counts twice, once at each.",
        "统计对象是客户记录：同一个人若同时是两个持有方的客户，则各计一次，共两次。",
    ),
    "note_cap": Text(
        "To bound what one customer can change, a record counts with at most {money} {currency} and "
        "{orders} orders in these totals. An estimated {share}% of all revenue lies above that and is "
        "not counted.",
        "为限制单个客户对结果的影响，每条记录最多按 {money} {currency} 和 {orders} 笔订单计入合计。估计有"
        " {share}% 的销售额超出该上限，未计入。",
    ),
    "feature_recency_days": Text("R: days since the last purchase", "R：距上次购买天数"),
    "feature_orders": Text("F: orders", "F：订单数"),
    "feature_money": Text("M: money spent, {currency}", "M：消费金额（{currency}）"),
    "warning": Text("Warning", "警告"),
    "run_id": Text("Run", "运行编号"),
    "version": Text("Version of Cohortium", "Cohortium 版本"),
    "footer": Text(
        "Made by {version}. This file loads nothing from anywhere.",
        "由 {version} 生成。本文件不从任何地方加载内容。",
    ),
}


def say(texts: Mapping[str, Text], key: str, language: Language, **fields: object) -> str:
    """The text for a key, with its fields filled in.

    Raises:
        KeyError: if there is no such text, or a field is missing.
    """
    return str(getattr(texts[key], language)).format(**fields)


def join(parts: list[str], language: Language) -> str:
    """A list in words: ``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    head = say(COMMON, "separator", language).join(parts[:-1])
    return say(COMMON, "joined", language, first=head, last=parts[-1])
