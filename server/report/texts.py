"""Every text of the study report that other pages do not share, in English and Chinese, side by side.

Plain text only; fields in braces are filled by ``text``. Markup belongs to the template.
"""

from __future__ import annotations

from privacy.presentation.texts import COMMON, Language, Text, say
from server.report.churn_texts import CHURN
from server.report.cluster_texts import CLUSTERS

OWN: dict[str, Text] = {
    # frame
    "title": Text("Customer value report", "客户价值分析报告"),
    "run_on": Text("Run on", "运行日期"),
    "margin_note": Text(
        "Every figure is an estimate with noise added on purpose to protect persons. The figure after ± "
        "is the half-width of the 95% interval that this noise causes; digits that the noise makes "
        "meaningless are left out.",
        "所有数字均为估计值：为保护个人，数字中特意加入了噪声。± 之后是该噪声造成的 95% 区间的半宽；被噪"
        "声淹没的位数不予显示。",
    ),
    "margin_note_share": Text(
        "Every figure is an estimate with noise added on purpose to protect persons, rounded to a public grid. The "
        "figure after ± is the half-width of the 95% interval that noise and rounding cause; it is stated for the "
        "smallest total of a wide class, so that it does not give the total away.",
        "所有数字均为估计值：为保护个人，数字中特意加入了噪声，并按公开的刻度取整。± 之后是噪声与取整共同造成的 95% "
        "区间的半宽；它按一个较宽的规模等级的下限计算，以免由此反推出合计。",
    ),
    "withheld_note": Text(
        "This study hands out proportions and averages only. No total of the holders is in this report, in the result "
        "file, or in what holders receive.",
        "本分析项目只公布占比和平均值：本报告、结果文件以及各持有方收到的内容均不含任何合计数。",
    ),
    # headline
    "summary": Text("At a glance", "概览"),
    "revenue": Text("Revenue", "销售额"),
    "privacy_spent": Text("Privacy spent (epsilon)", "已用隐私预算（ε）"),
    "of_promised": Text("of {promised} promised", "承诺上限 {promised}"),
    "finding_lead": Text(
        "{segment} brings {revenue} of revenue with {customers} of customer records.",
        "“{segment}”以 {customers}的客户记录贡献了 {revenue}的销售额。",
    ),
    "finding_tie": Text(
        "{first} ({first_revenue}) and {second} ({second_revenue}) bring the largest shares of revenue; "
        "the noise does not tell which is larger.",
        "“{first}”（{first_revenue}）和“{second}”（{second_revenue}）的销售额占比最高；在噪声范围内无法分出先后。",
    ),
    "finding_largest": Text(
        "The largest segment is {segment} with {customers} of customer records and {revenue} of revenue.",
        "人数最多的分群是“{segment}”，占客户记录的 {customers}，占销售额的 {revenue}。",
    ),
    "finding_none": Text("No segment is large enough to be shown.", "没有任何分群达到可展示的规模。"),
    "no_rfm": Text(
        "This study did not ask for segments; the report shows its privacy budget and its run.",
        "本分析项目未要求客户分群；报告仅展示隐私预算和运行情况。",
    ),
    "missing_note": Text(
        "Left out: {holders}. The holder did not take part to the end; the segment totals do not contain "
        "its customers.",
        "未纳入：{holders}。该持有方未全程参与，各分群的合计不含其客户。",
    ),
    "missing_note_many": Text(
        "Left out: {holders}. These holders did not take part to the end; the segment totals do not "
        "contain their customers.",
        "未纳入：{holders}。这些持有方未全程参与，各分群的合计不含其客户。",
    ),
    # segments
    "picture_shares": Text(
        "Share of customer records against share of revenue, by segment. Black lines: 95% intervals.",
        "各分群的客户记录占比与销售额占比。黑线为 95% 区间。",
    ),
    "share_of_customers": Text("Share of records, %", "记录占比（%）"),
    "share_of_revenue": Text("Share of revenue, %", "销售额占比（%）"),
    "legend_customers": Text("share of customer records", "客户记录占比"),
    "legend_revenue": Text("share of revenue", "销售额占比"),
    "note_totals": Text(
        "The total in this table and the number of customer records at the top come from two questions, "
        "each with its own noise.",
        "本表的合计与报告顶部的客户记录数来自两次提问，各含独立的噪声。",
    ),
    "note_totals_missing": Text(
        "The total in this table and the number of customer records at the top come from two questions, "
        "each with its own noise; a holder that left between them is in the first only.",
        "本表的合计与报告顶部的客户记录数来自两次提问，各含独立的噪声；在两次提问之间退出的持有方只包含在前一次中。",
    ),
    "note_suppressed": Text(
        "A segment whose noisy count is below {floor} has no figures here, because they would be mostly "
        "noise. It is part of the totals in the last row.",
        "含噪记录数低于 {floor} 的分群不展示数字，因为其中大部分是噪声；但最后一行的合计包含这些分群。",
    ),
    "note_weak": Text(
        "Grey figures have a margin as large as themselves: read them as close to nothing known.",
        "灰色数字的误差不小于其本身，基本不具参考价值。",
    ),
    "suppressed_share": Text(
        "Not shown: the share of records is below {floor}.",
        "未展示：记录占比低于 {floor}。",
    ),
    "note_suppressed_share": Text(
        "A segment with less than {floor} of the records has no figures here, because they would be mostly noise or "
        "below the study's floor. The shares of the others are of all records, and so do not add up to 100%.",
        "记录占比低于 {floor} 的分群不展示数字，因为其中大部分是噪声，或其记录数低于本项目的下限。其余分群的占比以全"
        "部记录为基数，因此合计不足 100%。",
    ),
    "note_interval_share": Text(
        "Margins cover the privacy noise and the rounding. They do not cover wrong or missing rows at a holder.",
        "± 反映隐私噪声与取整误差，不反映持有方数据中的错误或缺失。",
    ),
    "note_cap_share": Text(
        "To bound what one customer can change, a record counts with at most {money} {currency} and {orders} orders in "
        "these shares and averages. At most an estimated {share}% of all revenue lies above that and is not counted.",
        "为限制单个客户对结果的影响，在计算占比和平均值时，每条记录最多按 {money} {currency} 和 {orders} 笔订单计入。"
        "估计超出该上限而未计入的销售额不超过 {share}%。",
    ),
    "note_interval": Text(
        "Margins cover the privacy noise only. They do not cover wrong or missing rows at a holder.",
        "± 仅反映隐私噪声，不反映持有方数据中的错误或缺失。",
    ),
    "note_totals_known": Text(
        "The number of customer records at the top is the total of the first table of segments.",
        "报告顶部的客户记录数即第一张分群表的合计。",
    ),
    "note_cap_known": Text(
        "To bound what one customer can change, a record counts with at most {money} {currency} and "
        "{orders} orders in these totals. In the run that found these limits, an estimated {share}% of all "
        "revenue lay above that; such revenue is not counted.",
        "为限制单个客户对结果的影响，每条记录最多按 {money} {currency} 和 {orders} 笔订单计入合计。在求得该上限的那次运"
        "行中，估计有 {share}% 的销售额超出上限；超出部分未计入。",
    ),
    # over time
    "trend": Text("Over time", "历次对比"),
    "trend_none": Text(
        "No earlier run of this study shows a segment of this segmentation ({scheme}), so there is nothing to compare "
        "with.",
        "本分析项目此前的运行均未展示此分群方式（{scheme}）的任何分群，无从对比。",
    ),
    "trend_repeat": Text("{day}, repetition {repeat}", "{day}（第 {repeat} 次重复）"),
    "trend_finding": Text(
        "Since the run as of {day}, {count} of {of} shares changed by more than the noise explains; most of all "
        "{segment}, by {difference} percentage points of customer records.",
        "与截止日为 {day} 的运行相比，{of} 个占比中有 {count} 个的变化超出噪声范围；变化最大的是“{segment}”，"
        "客户记录占比变化 {difference}个百分点。",
    ),
    "trend_finding_none": Text(
        "Since the run as of {day}, no segment's share changed by more than the noise explains.",
        "与截止日为 {day} 的运行相比，没有任何分群的占比变化超出噪声范围。",
    ),
    "trend_finding_nothing": Text(
        "No segment is shown both in this run and in the run as of {day}.",
        "没有任何分群同时在本次运行和截止日为 {day} 的运行中展示。",
    ),
    "trend_cuts_same": Text(
        "This run used the same cut points as the run as of {day}: a change beyond the noise does not "
        "come from the cuts.",
        "本次运行与截止日为 {day} 的运行使用相同的分割点：超出噪声范围的变化并非来自分割点。",
    ),
    "trend_cuts_new": Text(
        "This run found new cut points, other than those of the run as of {day}: a shift may be the cut's, not the "
        "customers'.",
        "本次运行求得了新的分割点，与截止日为 {day} 的运行不同：占比变化可能来自分割点，而非客户。",
    ),
    "trend_cuts_other": Text(
        "This run used the cut points of {origin}, other than those of the run as of {day}: a shift may be the cut's, "
        "not the customers'.",
        "本次运行使用了 {origin} 的分割点，与截止日为 {day} 的运行不同：占比变化可能来自分割点，而非客户。",
    ),
    "picture_trend": Text(
        "Share of customer records by as-of day, one panel a segment, each on a scale of its own from zero. "
        "Bands: 95% intervals.",
        "各分群在各截止日的客户记录占比；每个小图从零起、各用自己的刻度。色带为 95% 区间。",
    ),
    "trend_hollow": Text(
        "Filled points: runs with the cut points of this run; hollow points: runs with other cut points.",
        "实心点：与本次运行分割点相同的运行；空心点：分割点不同的运行。",
    ),
    "trend_hidden": Text("not shown", "未展示"),
    "trend_caption": Text("{scheme}: share of customer records", "{scheme}：客户记录占比"),
    "trend_now": Text("This run, %", "本次运行（%）"),
    "trend_then": Text("As of {day}, %", "截止日 {day}（%）"),
    "trend_difference": Text("Difference, percentage points", "差值（百分点）"),
    "trend_verdict": Text("Against the noise", "与噪声相比"),
    "trend_up": Text("up", "上升"),
    "trend_down": Text("down", "下降"),
    "trend_same": Text("within the noise", "噪声范围内"),
    "trend_note_margin": Text(
        "The two runs have noise of their own each; the margin of the difference is the root of the sum of both "
        "margins' squares. Of 20 shares that did not change, about one shows a difference beyond its margin by chance.",
        "两次运行各含独立的噪声；差值的误差为两个误差平方和的平方根。平均每 20 个未变化的占比中，约有一个会因偶然显示出"
        "超出误差的差值。",
    ),
    "trend_note_runs": Text(
        "Holders that joined or left between the runs, and rules or cleaning that changed, move shares as well: see "
        "the reports of those runs.",
        "两次运行之间持有方的加入或退出、规则或清洗方式的变更，也会使占比变化：请参阅各次运行的报告。",
    ),
    # cut points
    "cuts": Text("Cut points", "分割点"),
    "cuts_lead": Text(
        "The holders' records together are cut into fifths. Every holder scores its own customers with "
        "these cuts, 1 (low) to 5 (high).",
        "把所有持有方的记录合在一起按五等分切分；各持有方用同样的分割点为自己的客户打 1（低）至 5（高）分。",
    ),
    "cuts_lead_known": Text(
        "These are the cut points of an earlier run, {origin}; this run spent nothing on them. They cut the records of "
        "the run that found them into fifths. Every holder scores its own customers with these cuts, 1 (low) to "
        "5 (high).",
        "这些是此前一次运行（{origin}）的分割点，本次运行未为其花费预算。它们把求得它们的那次运行的记录按五等分切分；"
        "各持有方用同样的分割点为自己的客户打 1（低）至 5（高）分。",
    ),
    "pictures_known": Text(
        "There are no pictures of the distributions here, because this run did not ask for them. The cut points "
        "come from {origin}; the report of the run that found them shows the distributions.",
        "此处没有分布图，因为本次运行没有查询分布。分割点来自 {origin}；分布图见求得这些分割点的那次运行的报告。",
    ),
    "axis_recency_days": Text("days since the last purchase", "距上次购买天数"),
    "axis_orders": Text("orders", "订单数"),
    "axis_money": Text("money spent, {currency} (log scale)", "消费金额，{currency}（对数刻度）"),
    "axis_orders_log": Text("orders (log scale)", "订单数（对数刻度）"),
    "picture_distribution": Text(
        "{feature}. Area: noisy share of customer records; shades: scores 1 to 5; dashed line: high/low cut.",
        "{feature}。面积：含噪的客户记录占比；深浅：1 至 5 分；虚线：高/低分界。",
    ),
    "picture_note": Text(
        "Area is the noisy share of customer records. The band on top and the shades show the scores, 1 "
        "to 5; the dashed line is the cut between high and low.",
        "面积为含噪的客户记录占比。上方色带和深浅表示 1 至 5 分；虚线为高/低分界。",
    ),
    "beyond": Text("{share}% beyond", "{share}% 超出"),
    "high_cut": Text("high/low", "高/低"),
    "score": Text("Score", "分数"),
    "scores_caption": Text("What each score means", "各分数的含义"),
    "score_days": Text("Days since the last purchase", "距上次购买天数"),
    "score_orders": Text("Orders", "订单数"),
    "score_money": Text("Money spent, {currency}", "消费金额（{currency}）"),
    "range_up_to": Text("up to {high}", "不超过 {high}"),
    "range_over": Text("over {low}", "超过 {low}"),
    "range_from": Text("{low} or more", "{low} 及以上"),
    "range_between": Text("{low} to {high}", "{low} 至 {high}"),
    "range_empty": Text("no customer", "无客户"),
    "high_row": Text("Counts as high", "“高”的标准"),
    "words_recent": Text(
        "A customer counts as recent (R = 5) when the last purchase is at most {days} days before the as-of day.",
        "若最近一次购买距截止日不超过 {days} 天，则该客户为近期客户（R = 5）。",
    ),
    "words_frequent": Text(
        "A customer counts as frequent (F = 5) with {orders} orders or more.",
        "订单数达到 {orders} 笔及以上的客户为高频客户（F = 5）。",
    ),
    "words_spending": Text(
        "A customer counts as a top spender (M = 5) with more than {money} {currency}.",
        "消费金额超过 {money} {currency} 的客户为高消费客户（M = 5）。",
    ),
    "words_high_median": Text(
        "For the eight segments, high means: at most {days} days, at least {orders} orders, more than "
        "{money} {currency}. These are medians, found on the noisy distributions.",
        "在八类分群中，“高”表示：不超过 {days} 天、至少 {orders} 笔订单、超过 {money} {currency}。这些是"
        "在含噪分布上求得的中位数。",
    ),
    "words_high_fixed": Text(
        "For the eight segments, high means: at most {days} days, at least {orders} orders, more than "
        "{money} {currency}. The operators set these themselves.",
        "在八类分群中，“高”表示：不超过 {days} 天、至少 {orders} 笔订单、超过 {money} {currency}。这些由"
        "运营人员自行设定。",
    ),
    "words_high_known": Text(
        "For the eight segments, high means: at most {days} days, at least {orders} orders, more than "
        "{money} {currency}. These come from the earlier run as well.",
        "在八类分群中，“高”表示：不超过 {days} 天、至少 {orders} 笔订单、超过 {money} {currency}。这些同样来自"
        "那次运行。",
    ),
    "words_ties": Text(
        "Many customers share the same number of orders, so the fifths of F cannot be equal in size, and "
        "cuts may coincide.",
        "许多客户的订单数相同，因此 F 的五个档位人数不可能相等，分割点也可能重合。",
    ),
    "cuts_caption": Text(
        "Quintile cuts, with the margins of their ranks in percentage points",
        "五分位分割点（± 为排名误差，百分点）",
    ),
    "cuts_caption_known": Text("Quintile cuts of {origin}", "{origin} 的五分位分割点"),
    "cut_fact": Text("Fact", "指标"),
    "cut_at": Text("{percent}%", "{percent}%"),
    "rank_note": Text(
        "The margin is of a cut's rank. ± 0.8 under 20% means that the share of records up to the cut is "
        "within 0.8 percentage points of what the estimate says, at 95%. Everybody uses the cuts "
        "themselves exactly as shown.",
        "误差指分割点的排名误差。例如 20% 一列中的“± 0.8”表示：在 95% 置信水平下，该分割点以内的记录占比"
        "与估计值相差不超过 0.8 个百分点。各方使用的分割点与表中数值完全一致。",
    ),
    "high_low": Text("High/low", "高/低"),
    # privacy
    "privacy": Text("The privacy budget", "隐私预算"),
    "relation": Text("Seen from", "保护对象"),
    "epsilon_spent": Text("Spent (epsilon)", "已用（ε）"),
    "relation_person": Text(
        "one person, with all records at up to {k} holders (declared)",
        "一个人，在至多 {k} 个持有方的全部记录（按声明）",
    ),
    "relation_person_one": Text(
        "one person, who is a customer at one holder only (declared)",
        "一个人，仅在一个持有方有记录（按声明）",
    ),
    "relation_person_all": Text(
        "one person, with all records at up to {k} holders (nothing lower was declared)",
        "一个人，在至多 {k} 个持有方的全部记录（未声明更低的数）",
    ),
    "relation_all": Text(
        "one person who is a customer at every holder ({count}), should the declaration be wrong",
        "一个人，在所有 {count} 个持有方都有记录（若声明有误）",
    ),
    "relation_own": Text("one customer id in one holder's table", "某一持有方表中的一个客户编号"),
    "promised": Text("Promised: epsilon {epsilon} at delta {delta}", "承诺：ε = {epsilon}，δ = {delta}"),
    "spent_sentence": Text(
        "For one person who is a customer at up to {k} holders, this run spent epsilon {person} of the "
        "promised {promised}, at delta {delta}.",
        "对于至多在 {k} 个持有方有记录的一个人，本次运行使用了 ε = {person}（承诺上限 {promised}，δ = {delta}）。",
    ),
    "spent_sentence_one": Text(
        "For one person who is a customer at one holder only, this run spent epsilon {person} of the "
        "promised {promised}, at delta {delta}.",
        "对于仅在一个持有方有记录的一个人，本次运行使用了 ε = {person}（承诺上限 {promised}，δ = {delta}）。",
    ),
    "all_runs": Text(
        "All runs so far (studies in the coordinator's ledger: {studies}) have together spent epsilon {total} for one "
        "person, at delta {delta}.",
        "迄今全部运行（协调方账本中的分析项目数：{studies}）对一个人合计使用了 ε = {total}（δ = {delta}）。",
    ),
    "all_runs_sum": Text(
        "The epsilons of the single runs sum to {sum}; together they are less, because each run has noise of its own: "
        "squares of mu add up, epsilons do not.",
        "各次运行的 ε 之和为 {sum}；合计小于此和，因为每次运行的噪声相互独立：可相加的是 μ 的平方，而不是 ε。",
    ),
    "all_runs_why": Text(
        "That is less than the sum of the single epsilons, because each run has noise of its own: squares of mu add "
        "up, epsilons do not.",
        "这小于各次运行的 ε 之和，因为每次运行的噪声相互独立：可相加的是 μ 的平方，而不是 ε。",
    ),
    "all_sentence": Text(
        "Should a person be a customer at every holder, it is {all_holders}.",
        "若某人在所有持有方都有记录，则为 {all_holders}。",
    ),
    "own_sentence": Text(
        "For one customer id at one holder it is {own}.",
        "对于某一持有方的一个客户编号，则为 {own}。",
    ),
    "guess_sentence": Text(
        "What this means: whoever must guess whether one such person's records are in the data is right "
        "in 50% of cases by flipping a coin, and with everything this run released in at most {guess}%. "
        "The promise allows {guess_promised}%.",
        "含义：若要猜测某个这样的人的记录是否在数据中，抛硬币的正确率为 50%；即使掌握本次运行公布的全部结"
        "果，正确率至多为 {guess}%。承诺允许的上限为 {guess_promised}%。",
    ),
    "over_promise": Text(
        "The run spent more than the study promised. Do not use it before the ledgers have been audited.",
        "本次运行的花费超过了承诺上限。在审计账本之前请勿使用本报告。",
    ),
    "questions_caption": Text("What each question cost", "每个问题的花费"),
    "question": Text("Question", "问题"),
    "attempt": Text("Attempt", "第几次"),
    "outcome": Text("Outcome", "结果"),
    "released": Text("released", "已公布"),
    "failed": Text("failed, charged all the same", "失败，照常计费"),
    "cost": Text("Cost (mu)", "花费（μ）"),
    "cost_share": Text("Share of spending, %", "占花费（%）"),
    "answered_holders": Text("Holders", "持有方数"),
    "questions_note": Text(
        "mu is sensitivity divided by noise; squares add up. A failed attempt is charged because some "
        "holders may already have answered.",
        "μ 为敏感度与噪声之比，其平方可以相加。失败的尝试也要计费，因为可能已有持有方作答。",
    ),
    "question_cut_points": Text("cut points", "分割点"),
    "question_segments": Text("segment totals", "分群合计"),
    "noise": Text("Who added the noise", "噪声由谁加入"),
    "placement_distributed": Text(
        "Distributed. Every holder added a share of the noise, and masks hid each holder's own totals. "
        "The coordinator saw only the sum with all the noise in it; no single party knows the noise.",
        "分布式。每个持有方各加入一份噪声，并用掩码隐藏自己的合计。协调方只看到包含全部噪声的总和；没有任"
        "何一方知道噪声的全部。",
    ),
    "placement_local": Text(
        "Local. Every holder added all the noise to its own totals. The promise does not depend on any "
        "other party; the figures carry more noise.",
        "本地式。每个持有方都在自己的合计中加入全部噪声。承诺不依赖于任何其他方，但结果的噪声更大。",
    ),
    "placement_central": Text(
        "Central. The coordinator saw the exact sums and added the noise itself. It must be trusted: "
        "against the coordinator there is no privacy promise at all, only against those who read the "
        "results.",
        "集中式。协调方看到了精确的总和，再自行加入噪声，因此必须信任协调方：对协调方没有任何隐私承诺，承"
        "诺仅针对阅读结果的人。",
    ),
    "colluding": Text(
        "The promise holds as long as no more than {t} holder pools what it knows with others to attack.",
        "只要合谋攻击的持有方不超过 {t} 个，承诺即成立。",
    ),
    "colluding_many": Text(
        "The promise holds as long as no more than {t} holders pool what they know to attack.",
        "只要合谋攻击的持有方不超过 {t} 个，承诺即成立。",
    ),
    "two_holders": Text(
        "With two holders, each can subtract its own totals and read the other's total to within the noise.",
        "只有两个持有方时，任一方减去自己的合计，即可得知对方带噪声的合计。",
    ),
    "two_holders_share": Text(
        "With two holders, what is not a holder's own is the other's: a holder that knows roughly how large the other "
        "is can work out the other's shares and averages from these.",
        "只有两个持有方时，不属于自己的部分即属于对方：若某一持有方大致了解对方的规模，便可由这些数字推算出对方的占比"
        "和平均值。",
    ),
    "withheld_limits": Text(
        "Withholding totals hides them from holders and readers, not their order of magnitude: the number of records "
        "can be inferred from the margins within a factor of about two, and more closely from many runs or by a holder "
        "that has nearly all customers of a segment. The coordinator's operator has the noisy totals.",
        "不公布合计可使各持有方和报告读者无从得知合计数，但不能隐藏其数量级：由误差可将记录数推断到约两倍以内；若有多"
        "次运行的结果，或某一持有方几乎拥有某个分群的全部客户，则可推断得更准。协调方的操作人员掌握含噪的合计数。",
    ),
    "no_promise": Text("What this report does not promise", "本报告不作的承诺"),
    "no_promise_holder": Text(
        "A cheating holder can spoil the totals without being noticed.",
        "作弊的持有方可以破坏合计而不被发现。",
    ),
    "no_promise_masked": Text(
        "A cheating holder can spoil the totals without being noticed: masked answers cannot be checked one by one.",
        "作弊的持有方可以破坏合计而不被发现：加了掩码的应答无法逐一核对。",
    ),
    "no_promise_coordinator": Text(
        "A cheating coordinator can publish false results. Holders can compare the published digests with their own.",
        "作弊的协调方可以公布虚假结果。持有方可以将公布的摘要与自己的记录核对。",
    ),
    "no_promise_ids": Text(
        "Two ids of one person at one holder count as two persons, each protected on its own.",
        "同一个人在同一持有方的两个编号按两个人计算，各自受到保护。",
    ),
    "no_promise_labels": Text(
        "What a holder does with the labels of its own customers is up to that holder.",
        "持有方如何使用自己客户的标签，由该持有方自行负责。",
    ),
    # run
    "run": Text("The run", "运行情况"),
    "participants": Text("Participants", "参与方"),
    "missing": Text("Dropped out", "中途退出"),
    "transport": Text("Transport", "传输方式"),
    "digest": Text("Study digest", "分析项目摘要"),
    "finished": Text("Finished", "完成日期"),
    "timings_caption": Text("Time by step", "各步骤用时"),
    "step": Text("Step", "步骤"),
    "seconds": Text("Seconds", "秒"),
    "step_total": Text("together", "合计"),
    "step_of_question": Text("{question}: {step}", "{question}：{step}"),
    "step_joining": Text("holders join", "持有方加入"),
    "step_showing_the_plan": Text("showing the plan", "出示计划"),
    "step_asking": Text("asking", "提问"),
    "step_handing_out_the_results": Text("handing out the results", "分发结果"),
    "step_processes_started": Text("processes started", "启动进程"),
    "step_SuperLink_listening": Text("SuperLink listening", "SuperLink 就绪"),
    "step_nodes_registered": Text("nodes registered", "节点已注册"),
    "step_nodes_online": Text("nodes online", "节点已上线"),
    "rules": Text("Rules of the study", "分析规则"),
    "rule_time_zone": Text("The as-of day starts in", "截止日所用时区"),
    "rule_currency": Text("Currency", "币种"),
    "rule_rates": Text("Exchange rates", "汇率"),
    "rate_fixed": Text("1 {code} = {rate} {currency}", "1 {code} = {rate} {currency}"),
    "rate_since": Text(
        "1 {code} = {rate} {currency} since {day}",
        "自 {day} 起 1 {code} = {rate} {currency}",
    ),
    "rule_ids": Text("No customer id", "视为无客户编号"),
    "rule_empty": Text("empty", "空值"),
    "rule_duplicates": Text("Exact duplicates", "完全重复的行"),
    "duplicates_drop": Text("dropped", "删除"),
    "duplicates_keep": Text("kept", "保留"),
    "rule_returns": Text("Returns", "退货"),
    "returns_drop": Text("dropped", "删除"),
    "returns_net": Text("set off against the customer's spending", "从该客户的消费金额中扣减"),
    "rule_cancellation": Text("Cancelled orders start with", "取消订单的编号前缀"),
    "rule_non_goods": Text("Not goods", "非商品代码"),
    "rule_bounds": Text("Public bounds", "公开上下限"),
    "bounds": Text(
        "{days} days; {orders} orders; {low} to {high} {currency}",
        "{days} 天；{orders} 笔订单；{low} 至 {high} {currency}",
    ),
    "rule_size_class": Text("Declared size class", "声明的规模上限"),
    "rule_totals": Text("Totals", "合计数"),
    "totals_full": Text("handed out, with noise", "公布（含噪声）"),
    "totals_shares": Text("withheld; proportions and averages only", "不公布，仅提供占比和平均值"),
    "rule_floor": Text("Floor of the noisy count", "含噪记录数下限"),
}

TEXTS: dict[str, Text] = COMMON | OWN | CLUSTERS | CHURN


def text(key: str, language: Language, **fields: object) -> str:
    """The text for a key, with its fields filled in; see ``say``."""
    return say(TEXTS, key, language, **fields)
