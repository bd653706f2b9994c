"""Every text of the holder's page that other pages do not share, in English and Chinese, side by side.

Plain text only; fields in braces are filled by ``text``. Markup belongs to the template.
"""

from __future__ import annotations

from clients.report.churn_texts import CHURN
from clients.report.cluster_texts import CLUSTERS
from privacy.presentation.texts import COMMON, Language, Text, say

OWN: dict[str, Text] = {
    # frame
    "holder_title": Text("Your customers in the consortium", "您的客户与联盟对比"),
    "holder": Text("Data holder", "数据持有方"),
    "compared_with": Text("Compared with", "对比范围"),
    "compared_count": Text("{count} holders, yours included", "{count} 个持有方（含您）"),
    "previous": Text("Movement since", "变动起点"),
    "private": Text("Only for you.", "仅供您使用。"),
    "private_note": Text(
        "This page was made on your own machine. It sets what the consortium released against your own rows, is never "
        "sent anywhere and costs no privacy budget. It contains ids of your customers: keep it where you keep them.",
        "本页在您自己的机器上生成：将联盟已公布的结果与您自己的数据对照，绝不发送，也不消耗隐私预算。页面含有您的客户"
        "编号，请与客户数据同等保管。",
    ),
    "missing_self": Text(
        "You did not take part to the end of this run: the segment totals beside yours do not contain your customers.",
        "您未全程参与本次运行：对照用的分群合计不含您的客户。",
    ),
    "missing_others": Text(
        "Left out of the segment totals: {holders}, who did not take part to the end.",
        "未纳入分群合计：{holders}（未全程参与）。",
    ),
    "withheld_note": Text(
        "This study hands out proportions and averages only. No total of the consortium is known here, and so neither "
        "is your share of it.",
        "本分析项目只公布占比和平均值：此处没有联盟的任何合计数，因此也无法得知您在联盟中所占的份额。",
    ),
    # headline
    "glance": Text("At a glance", "概览"),
    "own_customers": Text("Your customers", "您的客户数"),
    "own_revenue": Text("Your revenue, {currency}", "您的销售额（{currency}）"),
    "own_exact": Text("exact, from your own rows", "精确值，来自您的数据"),
    "part_of_customers": Text("Your share of customers", "您的客户占比"),
    "part_of_revenue": Text("Your share of revenue", "您的销售额占比"),
    "of_records": Text("±\u00a0{margin}, of all records", "±\u00a0{margin}，占联盟全部记录"),
    "of_revenue": Text("±\u00a0{margin}, up to the cap", "±\u00a0{margin}，按单客上限计"),
    "not_known": Text("not known", "未知"),
    "hidden_by_noise": Text("the noise hides it", "被噪声淹没"),
    "ahead": Text("You are ahead: {claim}.", "领先之处：{claim}。"),
    "behind": Text("You are behind: {claim}.", "落后之处：{claim}。"),
    "nowhere": Text(
        "In none of the {count} measures below do you differ from the consortium by more than noise and chance "
        "explain.",
        "在下列 {count} 项指标中，您与联盟的差异均未超出噪声和偶然所能解释的范围。",
    ),
    "concentrated": Text(
        "{segment} is where your money comes from: {customers} of your customers bring {revenue} of your revenue.",
        "“{segment}”是您的主要收入来源：{customers} 的客户贡献了 {revenue} 的销售额。",
    ),
    "claim_repurchase": Text(
        "{own} of your customers have ordered more than once, against {all} in the consortium",
        "{own} 的客户下过两单及以上，联盟为 {all}",
    ),
    "claim_orders_per_customer": Text(
        "a customer has placed {own} orders on average, against {all} in the consortium",
        "每位客户平均下单 {own} 次，联盟为 {all}",
    ),
    "claim_revenue_per_order": Text(
        "an average order is {own} {currency}, against {all} in the consortium",
        "平均客单价为 {own} {currency}，联盟为 {all}",
    ),
    "claim_revenue_per_customer": Text(
        "a customer brings {own} {currency} on average, against {all} in the consortium",
        "每位客户平均贡献 {own} {currency}，联盟为 {all}",
    ),
    "claim_top_spenders": Text(
        "{own} of your customers spend like the consortium's top fifth, where {all} would be average",
        "{own} 的客户达到联盟消费最高五分之一的水平，平均水平为 {all}",
    ),
    "claim_recent_five": Text(
        "{own} of your customers bought within the last {days} days, where {all} would be average",
        "{own} 的客户在最近 {days} 天内购买过，平均水平为 {all}",
    ),
    "claim_recent_four": Text(
        "{own} of your customers bought within the last {days} days, where {all} would be average",
        "{own} 的客户在最近 {days} 天内购买过，平均水平为 {all}",
    ),
    "moved": Text(
        "Since {day}, {up} of your customers moved up and {down} moved down between segments; {new} are new.",
        "自 {day} 以来，您的客户中有 {up} 位升档、{down} 位降档，新增 {new} 位。",
    ),
    "over": Text(
        "{segment} is larger with you: {own} of your customers, against {all} in the consortium.",
        "“{segment}”在您的客户中占比较高：{own}，联盟为 {all}。",
    ),
    "under": Text(
        "{segment} is smaller with you: {own} of your customers, against {all} in the consortium.",
        "“{segment}”在您的客户中占比较低：{own}，联盟为 {all}。",
    ),
    # measures
    "measures": Text("Where you are better or worse", "哪里更好，哪里更差"),
    "measure": Text("Measure", "指标"),
    "you": Text("You", "您"),
    "everyone": Text("Consortium", "联盟"),
    "verdict": Text("Verdict", "结论"),
    "better": Text("better", "更好"),
    "worse": Text("worse", "更差"),
    "within_noise": Text("within noise", "噪声范围内"),
    "name_repurchase": Text("Repurchase: customers with 2 or more orders, %", "复购：下过 2 单及以上的客户（%）"),
    "name_orders_per_customer": Text("Orders per customer", "人均订单数"),
    "name_revenue_per_order": Text("Average order, {currency}", "客单价（{currency}）"),
    "name_revenue_per_customer": Text("Revenue per customer, {currency}", "人均销售额（{currency}）"),
    "name_top_spenders": Text(
        "Top spenders: over {money} {currency} (M = 5), %", "高消费：超过 {money} {currency}（M = 5）的客户（%）"
    ),
    "name_recent_five": Text("Bought in the last {days} days (R = 5), %", "最近 {days} 天内购买（R = 5）的客户（%）"),
    "name_recent_four": Text(
        "Bought in the last {days} days (R = 4 or 5), %", "最近 {days} 天内购买（R = 4 或 5）的客户（%）"
    ),
    "note_both_margins": Text(
        "± beside the consortium is the noise added to protect persons (95%). ± beside you is chance: your figure "
        "is exact, but other customers of the same kind could have come instead.",
        "联盟一列的 ± 是为保护个人而加入的噪声（95%）。您一列的 ± 是偶然性：您的数字是精确的，但同类客户的来去本有"
        "偶然。",
    ),
    "note_both_margins_share": Text(
        "± beside the consortium covers the noise added to protect persons and the rounding to a public grid (95%). ± "
        "beside you is chance: your figure is exact, but other customers of the same kind could have come instead.",
        "联盟一列的 ± 反映为保护个人而加入的噪声以及按公开刻度取整的误差（95%）。您一列的 ± 是偶然性：您的数字是精确"
        "的，但同类客户的来去本有偶然。",
    ),
    "note_not_asked": Text(
        "The run used the cut points of {origin} and did not ask for distributions, so the consortium's repurchase, "
        "top spenders and recent buyers are not known.",
        "本次运行使用了 {origin} 的分割点，未查询分布，因此联盟的复购、高消费和近期购买情况未知。",
    ),
    "note_strict": Text(
        "A verdict is given only if a difference passes {factor} times its margin. So all {count} verdicts "
        "together are right in 95% of cases; looking at {count} differences, one of them would else often seem "
        "real by luck.",
        "只有差异超过其误差的 {factor} 倍才下结论：这样 {count} 个结论同时正确的概率为 95%；否则比较 {count} 次，"
        "总有一个会碰巧显得真实。",
    ),
    "note_fifths": Text(
        "For recency and top spenders the consortium is a fifth (or two) by the way the cuts are made; the margin is "
        "that of the cut, and of what falls on one day.",
        "近期购买与高消费两项，按分割点的定义，联盟恰为五分之一（或五分之二）；误差来自分割点以及同一天的记录。",
    ),
    "note_capped_measures": Text(
        "Averages count at most {money} {currency} and {orders} orders a customer, with you as in the consortium.",
        "各项平均值对每位客户最多计 {money} {currency} 和 {orders} 笔订单，您与联盟口径相同。",
    ),
    # segments
    "against": Text("Your segments beside the consortium's", "您的分群与联盟对比"),
    "legend_own": Text("yours, exact", "您（精确）"),
    "legend_everyone": Text("the consortium's; line: 95% of the noise", "联盟（黑线：噪声的 95% 区间）"),
    "panel_customers": Text("Share of customers", "客户占比"),
    "panel_revenue": Text("Share of revenue", "销售额占比"),
    "picture_compared": Text(
        "Your share of customers and of revenue in each segment beside the consortium's. Black lines: 95% "
        "intervals of the noise.",
        "各分群中您与联盟的客户占比和销售额占比。黑线为噪声的 95% 区间。",
    ),
    "column_customers": Text("Your customers", "您的客户"),
    "column_own_share": Text("% of yours", "占您客户（%）"),
    "column_all_share": Text("% of consortium", "占联盟（%）"),
    "column_revenue": Text("Your revenue, {currency}", "您的销售额（{currency}）"),
    "column_own_revenue": Text("% of yours", "占您销售额（%）"),
    "column_all_revenue": Text("% of consortium", "占联盟（%）"),
    "column_compared": Text("Compared", "对比"),
    "above": Text("above", "偏高"),
    "below": Text("below", "偏低"),
    "alike": Text("within noise", "噪声内"),
    "not_shown": Text("not shown", "未展示"),
    "note_revenue_shares": Text(
        "Your revenue is exact and complete; shares of revenue count a customer up to the cap, with you as in the "
        "consortium.",
        "您的销售额为精确且完整的数值；销售额占比按单客上限计算，您与联盟口径相同。",
    ),
    "note_hidden": Text(
        "Where the consortium's noisy count is below {floor}, its figures are not shown.",
        "联盟含噪记录数低于 {floor} 的分群不展示其数字。",
    ),
    "note_hidden_share": Text(
        "Segments with less than {floor} of the consortium's records are not shown for the consortium.",
        "占联盟记录不足 {floor} 的分群，不展示联盟一侧的数字。",
    ),
    # movement
    "movement": Text("Who moved since {day}", "自 {day} 以来的变动"),
    "movement_lead": Text(
        "{changed} of the {both} customers you had on both days changed segment: {up} moved up, {down} moved down"
        "{level}. {new} are new{gone}.",
        "两个日期都在的 {both} 位客户中，{changed} 位改变了分群：{up} 位升档，{down} 位降档{level}；新增 {new} 位"
        "{gone}。",
    ),
    "movement_level": Text(", {level} moved across", "，{level} 位平移"),
    "movement_gone": Text(", {gone} are no longer in your table", "，{gone} 位已不在您的表中"),
    "same_cuts": Text(
        "Both days are cut at the same released cut points, so every move is a customer's.",
        "两个日期使用同一组已公布的分割点，因此每次变动都是客户自身的变动。",
    ),
    "this_cuts": Text(
        "Both days are cut at this run's cut points, so every move is a customer's and none is the cuts'. With "
        "each day's own cut points, as in the labels you had, {own} customers changed.",
        "两个日期都按本次运行的分割点切分，因此每次变动都是客户自身的变动，而非分割点移动所致。若各按当时的分割点"
        "（即当时标签的口径），有 {own} 位客户变动。",
    ),
    "this_rules": Text(
        "Both days are judged by this run's rules, so every move is a customer's.",
        "两个日期都按本次运行的规则判断，因此每次变动都是客户自身的变动。",
    ),
    "up_eight": Text(
        "Up means that more of R, F and M are high than before, down that fewer are; across, as many but others.",
        "升档指 R、F、M 中为“高”的项比以前多，降档指变少；平移指项数相同但内容不同。",
    ),
    "up_grid": Text(
        "Up means that the scores of R and F together rose, down that they fell; across, neither.",
        "升档指 R 与 F 分数之和上升，降档指下降；平移指不变。",
    ),
    "up_rules": Text(
        "Up means that an earlier rule fits now, down that a later one or none does.",
        "升档指现在符合更靠前的规则，降档指符合更靠后的规则或不再符合任何规则。",
    ),
    "matrix_caption": Text(
        "Customers by segment then (rows) and now (columns)", "按当时分群（行）与现在分群（列）的客户数"
    ),
    "matrix_then": Text("Then", "当时"),
    "matrix_now": Text("Now", "现在"),
    "matrix_new": Text("new", "新增"),
    "matrix_gone": Text("gone", "离开"),
    "matrix_total": Text("all", "合计"),
    "matrix_note": Text(
        "The framed diagonal stayed. Darker means a larger part of the row.",
        "加框的对角线为未变动者。颜色越深，占该行的比例越大。",
    ),
    "numbers_note": Text("Columns are numbered as the rows.", "列的编号与行相同。"),
    "fallen": Text("Moved down, by money", "降档客户（按消费金额）"),
    "risen": Text("Moved up, by money", "升档客户（按消费金额）"),
    "from_to": Text("From → to", "从 → 到"),
    "nobody": Text("nobody", "无"),
    # the list to act on
    "act": Text("The list to act on", "行动清单"),
    "act_lead": Text(
        "What to do is yours to decide: change the words in {file}. Ids are the first {count} of each segment by "
        "money; all of them are in your labels.",
        "具体做法由您决定：请在 {file} 中修改文字。编号为各分群中消费金额最高的前 {count} 位，完整名单见标签文件。",
    ),
    "act_none": Text(
        "No action is set; add a section [{code}] to {file}.", "尚未设置动作；请在 {file} 中加入 [{code}] 一节。"
    ),
    "act_unknown": Text(
        "{file} names segments that this study does not have: {codes}.", "{file} 中有本分析项目没有的分群：{codes}。"
    ),
    "act_size": Text("{count} customers, {share}% of yours", "{count} 位客户，占您客户的 {share}%"),
    "act_revenue": Text("{revenue} {currency}", "{revenue} {currency}"),
    "act_empty": Text("none of your customers", "您没有此类客户"),
    "id": Text("Customer id", "客户编号"),
    "days": Text("Days", "天数"),
    "orders_short": Text("Orders", "订单"),
    "money_short": Text("Money, {currency}", "金额（{currency}）"),
    # what it can and cannot say
    "limits": Text("What these numbers can and cannot say", "这些数字能说明什么，不能说明什么"),
    "yardstick": Text("What the common yardstick is worth to you", "共同标尺对您的价值"),
    "gain_all": Text(
        "Cut on your {count} customers alone, the fifths of a market like yours would be known to within ± {own} "
        "percentage points of rank. The consortium's are known to within ± {all}: at least {factor} times as "
        "sharp, noise included.",
        "若仅凭您的 {count} 位客户切分，同类市场的五分位只能确定到排名 ± {own} 个百分点；联盟的分割点可确定到 ± "
        "{all}，含噪声在内仍至少精确 {factor} 倍。",
    ),
    "gain_some": Text(
        "Of {lines} cut points, {better} are known more sharply together than from your {count} customers alone "
        "(± {all} against ± {own} percentage points of rank at worst).",
        "在 {lines} 个分割点中，有 {better} 个由联盟得到的比仅凭您的 {count} 位客户更精确（最差时为排名 ± {all} 对 "
        "± {own} 个百分点）。",
    ),
    "gain_none": Text(
        "With {count} customers your own fifths would be as sharp or sharper (± {own} percentage points of rank, "
        "against ± {all} with the noise). What you gain is not sharpness but the comparison: how you stand beside "
        "the others.",
        "您有 {count} 位客户，自行切分的五分位同样精确甚至更精确（排名 ± {own} 个百分点，联盟含噪声为 ± {all}）。"
        "您得到的不是精度，而是对比：您与其他持有方相比处于什么位置。",
    ),
    "gain_share": Text(
        "Cut on your {count} customers alone, the fifths of a market like yours would be known to within ± {own} "
        "percentage points of rank. The consortium's carry ± {all} of noise and rounding; how much chance adds "
        "depends on the number of its customers, which is withheld, and is less than with yours alone.",
        "若仅凭您的 {count} 位客户切分，同类市场的五分位只能确定到排名 ± {own} 个百分点。联盟的分割点含噪声与取整误差"
        " ± {all}；偶然性另计，其大小取决于不公布的联盟客户数，但小于仅凭您的数据。",
    ),
    "gain_not_asked": Text(
        "This run used the cut points of {origin}; the page of the run that found them says how sharp they are.",
        "本次运行使用了 {origin} 的分割点；其精确程度见求得这些分割点的那次运行的页面。",
    ),
    "relabelled": Text(
        "With your own cut points instead of the common ones, {count} of your customers ({share}%) would carry "
        "another label: that is how far your customers differ from the consortium's.",
        "若用您自己的分割点代替共同分割点，您的客户中有 {count} 位（{share}%）会得到不同的标签：这正是您的客户与联"
        "盟的差别所在。",
    ),
    "yard_fact": Text("Cut point", "分割点"),
    "yard_own": Text("You alone", "仅凭您的数据"),
    "yard_all": Text("Consortium", "联盟"),
    "yard_sharper": Text("Sharper", "更精确"),
    "yard_you": Text("you alone", "仅凭您"),
    "yard_them": Text("consortium, × {factor}", "联盟，{factor} 倍"),
    "yard_days": Text("R at {percent}%, days", "R 的 {percent}%（天）"),
    "yard_money": Text("M at {percent}%, {currency}", "M 的 {percent}%（{currency}）"),
    "yard_interval": Text("{low} to {high}", "{low} 至 {high}"),
    "yard_range": Text("{interval}, ±\u00a0{points} points", "{interval}，±\u00a0{points} 个百分点"),
    "yard_note": Text(
        "Under each cut: where it may lie (95%), and the margin of its rank. Yours alone: what chance leaves open "
        "with so many customers. The consortium's: noise and chance together. Cuts of orders are left out because "
        "of their ties.",
        "每个分割点下方为其可能所在的 95% 区间及其排名误差。仅凭您：如此多客户下偶然性所致；联盟：噪声与偶然性合计"
        "。订单数因大量并列，未列入。",
    ),
    "yard_note_share": Text(
        "Under each cut: where it may lie (95%), and the margin of its rank. Yours alone: what chance leaves open "
        "with so many customers. The consortium's: noise and rounding, without chance. Cuts of orders are left out "
        "because of their ties.",
        "每个分割点下方为其可能所在的 95% 区间及其排名误差。仅凭您：如此多客户下偶然性所致；联盟：噪声与取整误差，不"
        "含偶然性。订单数因大量并列，未列入。",
    ),
    "limit_margin": Text(
        "Every figure of the consortium carries noise. Margins cover that noise, not wrong or missing rows at a "
        "holder.",
        "联盟的每个数字都含有噪声。误差仅涵盖噪声，不涵盖持有方数据中的错误或缺失。",
    ),
    "limit_records": Text(
        "The consortium counts customer records: a person who buys at two holders counts twice. Some of your "
        "customers may be others' customers too; nobody knows which.",
        "联盟统计的是客户记录：在两个持有方购买的人计两次。您的部分客户可能也是别家的客户，但无人知道是哪些。",
    ),
    "limit_cap": Text(
        "A customer's money counts up to {money} {currency} in the totals. An estimated {share}% of the consortium's "
        "revenue lies above and is not counted; with you it is {own}%.",
        "合计中每位客户的消费金额最多计 {money} {currency}。估计联盟销售额的 {share}% 超出上限而未计入；您的数据中为 "
        "{own}%。",
    ),
    "limit_cap_share": Text(
        "A customer's money counts up to {money} {currency} in shares and averages. At most an estimated {share}% of "
        "the consortium's revenue lies above and is not counted; with you it is {own}%.",
        "计算占比和平均值时，每位客户的消费金额最多计 {money} {currency}。估计联盟销售额中超出上限而未计入的部分不超过 "
        "{share}%；您的数据中为 {own}%。",
    ),
    "limit_two_share": Text(
        "With two holders, what is not yours is the other's: if you know roughly how large it is, you can work out its "
        "shares and averages from these, and it yours.",
        "只有两个持有方时，不属于您的即属于对方：若大致了解对方的规模，您便可由此推算出对方的占比和平均值，反之亦然。",
    ),
    "limit_withheld": Text(
        "Withholding totals does not hide their order of magnitude: the number of the consortium's records can be "
        "inferred from the margins within a factor of about two, and more closely from many runs, or by a holder that "
        "has nearly all customers of a segment. The coordinator's operator has the noisy totals.",
        "不公布合计不能隐藏其数量级：由误差可将联盟的记录数推断到约两倍以内；若有多次运行的结果，或某一持有方几乎拥有"
        "某个分群的全部客户，则可推断得更准。协调方的操作人员掌握含噪的合计数。",
    ),
    "limit_who": Text(
        "The consortium is {holders}, and contains you: {part} of its records are yours. Against the others alone, "
        "differences would be larger in the same direction.",
        "联盟包括 {holders}，其中含您：{part}的记录来自您。若只与其他方相比，差异方向相同，幅度更大。",
    ),
    "limit_who_unknown": Text(
        "The consortium is {holders}, and contains you. Against the others alone, differences would be larger in "
        "the same direction.",
        "联盟包括 {holders}，其中含您。若只与其他方相比，差异方向相同，幅度更大。",
    ),
    "limit_two": Text(
        "With two holders, what is not yours is the other's: what you can work out about it here is within the "
        "noise it agreed to.",
        "只有两个持有方时，不属于您的即属于对方；您由此推算出的对方情况不超出其同意的噪声范围。",
    ),
    "limit_cause": Text(
        "A difference says that you differ, not why: assortment, prices and the kind of customers differ between "
        "holders.",
        "差异只说明不同，不说明原因：各持有方的商品、价格和客群本就不同。",
    ),
    "limit_stated": Text(
        "The consortium's figures are as the coordinator stated them. The cut points are those of the plan that "
        "your own node checked and answered.",
        "联盟的数字以协调方所述为准；分割点即您自己的节点核对并应答过的计划中的分割点。",
    ),
    "limit_stated_unchecked": Text(
        "The consortium's figures and cut points are as the coordinator stated them.",
        "联盟的数字和分割点以协调方所述为准。",
    ),
    "compare_note": Text(
        "Whoever was handed the same result reads out the same eight groups: compare them with another holder.",
        "收到同一结果的持有方读出的八组数字相同；请与其他持有方核对。",
    ),
    "run_line": Text("Study digest {digest}", "分析项目摘要 {digest}"),
}

TEXTS: dict[str, Text] = COMMON | OWN | CHURN | CLUSTERS


def text(key: str, language: Language, **fields: object) -> str:
    """The text for a key, with its fields filled in; see ``say``."""
    return say(TEXTS, key, language, **fields)
