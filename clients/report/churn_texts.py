"""Texts of the holder's churn section, in English and Chinese, side by side.

Plain text only; fields in braces are filled by ``clients.report.texts.text``. Markup belongs to the template.
"""

from __future__ import annotations

from privacy.presentation.texts import Text

CHURN: dict[str, Text] = {
    "churn": Text("Who is likely to leave", "流失预测"),
    "churn_lead": Text(
        "A score says how likely a customer is to buy nothing in the {days} days from {as_of} on. Your {count} "
        "customers with a purchase in the {active} days before have one.",
        "预测目标：自 {as_of} 起 {days} 天内没有购买。评分对象：此前 {active} 天内有过购买的 {count} 位客户。",
    ),
    "churn_lead_away": Text(
        "{away} more have been away for longer; they count as lost already and have no score.",
        "另有 {away} 位客户更久未购买，视为已经流失，不再评分。",
    ),
    "churn_nobody": Text(
        "None of your customers bought in the {active} days before {as_of}: there is nobody to score.",
        "在 {as_of} 之前的 {active} 天内没有客户购买，因此没有可评分的客户。",
    ),
    # cards
    "churn_scored": Text("Customers scored", "已评分客户"),
    "churn_high": Text("High or very high risk", "高风险及以上"),
    "churn_high_below": Text("{count} customers", "{count} 位客户"),
    "churn_at_risk": Text("Value at risk, {currency}", "风险金额（{currency}）"),
    "churn_at_risk_below": Text("of {money} last year", "近 365 天消费 {money}"),
    "churn_own_auc": Text("AUC on your customers", "在您客户上的 AUC"),
    "churn_own_auc_below": Text("consortium: {value} (±\u00a0{margin})", "联盟：{value}（±\u00a0{margin}）"),
    "churn_not_known": Text("not known", "未知"),
    "churn_too_few": Text("too few in the test", "检验客户过少"),
    # findings
    "churn_find_better": Text(
        "On your customers the model ranks better than {other}: AUC {auc} against {rest}, a gain of {gain}.",
        "在您的客户上，模型的排序优于{other}：AUC 为 {auc}，后者为 {rest}，提高 {gain}。",
    ),
    "churn_find_tie": Text(
        "On your customers it cannot be told whether the model ranks better than {other}: AUC {auc} against {rest}, a "
        "difference of {gain}.",
        "在您的客户上，无法判断模型的排序是否优于{other}：AUC 为 {auc}，后者为 {rest}，相差 {gain}。",
    ),
    "churn_find_worse": Text(
        "On your customers the model ranks worse than {other}: AUC {auc} against {rest}. Use that instead.",
        "在您的客户上，模型的排序不如{other}：AUC 为 {auc}，后者为 {rest}。建议改用后者。",
    ),
    "churn_find_too_few": Text(
        "Too few of your customers left or stayed on the day of the test ({count} in all) to say how good the scores "
        "are for you; the consortium's figures are all there is.",
        "检验日您的客户过少（共 {count} 位），流失者或留存者不足，无法评价得分在您客户上的效果；只能参考联盟的数字。",
    ),
    "churn_find_money": Text(
        "{count} of your customers ({share}%) are at high or very high risk; they brought {money} {currency}, "
        "{part}% of what those who are scored spent last year.",
        "您有 {count} 位客户（{share}%）处于高风险或极高风险，其近 365 天消费 {money} {currency}，占已评分客户的 "
        "{part}%。",
    ),
    "churn_find_money_plain": Text(
        "{count} of your customers ({share}%) are at high or very high risk.",
        "您有 {count} 位客户（{share}%）处于高风险或极高风险。",
    ),
    "churn_find_level_high": Text(
        "On the day of the test the model expected {predicted}% of your customers to leave and {observed}% left: for "
        "you it predicts too much. The order holds; take the probabilities for too high.",
        "检验日模型预测您的客户有 {predicted}% 流失，实际为 {observed}%：对您而言预测偏高。排序仍可用，概率"
        "应视为偏高。",
    ),
    "churn_find_level_low": Text(
        "On the day of the test the model expected {predicted}% of your customers to leave and {observed}% left: for "
        "you it predicts too little. The order holds; take the probabilities for too low.",
        "检验日模型预测您的客户有 {predicted}% 流失，实际为 {observed}%：对您而言预测偏低。排序仍可用，概率"
        "应视为偏低。",
    ),
    "churn_find_level_good": Text(
        "On the day of the test the model expected {predicted}% of your customers to leave and {observed}% left: "
        "within chance, its probabilities hold for you.",
        "检验日模型预测您的客户有 {predicted}% 流失，实际为 {observed}%：在偶然范围内，概率对您是可信的。",
    ),
    "churn_find_moved": Text(
        "Since {day} the probability of {risen} of your customers has risen by 10 percentage points or more, and that "
        "of {fallen} has fallen by as much.",
        "自 {day} 以来，您有 {risen} 位客户的流失概率上升了 10 个百分点或更多，{fallen} 位下降了同样幅度。",
    ),
    # quality
    "churn_quality": Text("How good the scores are on your customers", "得分在您客户上的效果"),
    "churn_quality_lead": Text(
        "Tested on {day}, on {count} of your customers, with what they bought until {end}: later than all that the "
        "model learnt from. Your figures are exact and cost nothing.",
        "检验日 {day}，检验您的 {count} 位客户，以截至 {end} 的购买情况为准，晚于模型学习所用的全部数据。您的数字为"
        "精确值，不消耗隐私预算。",
    ),
    "churn_ranked_by": Text("Ranked by", "排序依据"),
    "churn_by_model": Text("the consortium's model", "联盟模型"),
    "churn_by_recency_days": Text("days since last purchase alone", "仅按距上次购买天数"),
    "churn_by_intervals": Text("your own interval model", "您自己的复购间隔模型"),
    "churn_auc": Text("AUC", "AUC"),
    "churn_average_precision": Text("Average precision", "平均精确率（AP）"),
    "churn_top_lift": Text("Lift, top tenth", "前 10% 提升度"),
    "churn_yours": Text("{figure}, yours", "{figure}（您）"),
    "churn_everyones": Text("{figure}, consortium", "{figure}（联盟）"),
    "churn_note_margins": Text(
        "± beside you is chance: other customers of the same kind could have come instead. ± beside the consortium is "
        "the noise that protects persons, and chance.",
        "您一列的 ± 是偶然性：换一批同类客户，数字也会不同。联盟一列的 ± 是为保护个人而加入的噪声与偶然性之和。",
    ),
    "churn_note_figures": Text(
        "AUC: of one customer who left and one who stayed, how often the former has the higher score (0.5: drawing "
        "lots). Average precision: share of leavers on the list, over all its lengths (drawing lots: {rate}, your "
        "share of leavers). Lift: how much more often the tenth with the highest scores left than all.",
        "AUC：任取一位流失客户和一位留存客户，前者得分更高的概率（0.5 等同随机）。平均精确率：名单中流失客户的占比，"
        "按名单各种长度取平均（随机时为 {rate}，即您的流失率）。提升度：得分最高的 10% 客户的流失率与全部客户流失率之"
        "比。",
    ),
    "churn_note_intervals": Text(
        "Your own interval model needs no consortium: each customer's own days between orders, drawn towards your "
        "typical interval of {days} days, the more the fewer orders it has. It also gives the expected next purchase.",
        "您自己的复购间隔模型不依赖联盟：每位客户自身的下单间隔，向您的典型间隔 {days} 天收缩，订单越少收缩越多。预计"
        "下次购买日期也由它给出。",
    ),
    "churn_note_same_kind": Text(
        "The model ranks {word} on your customers than on the consortium's, beyond what noise and chance explain.",
        "模型在您客户上的排序效果{word}联盟整体，差异超出噪声和偶然所能解释的范围。",
    ),
    "churn_word_better": Text("better", "优于"),
    "churn_word_worse": Text("worse", "不如"),
    "churn_note_same": Text(
        "Between your customers and the consortium's the model's AUC does not differ by more than noise and chance "
        "explain.",
        "模型的 AUC 在您客户与联盟整体之间的差异，未超出噪声和偶然所能解释的范围。",
    ),
    # pictures
    "churn_calibration": Text("Do the probabilities hold for you?", "概率对您是否可信"),
    "churn_picture_calibration": Text(
        "Predicted probability against the share that left, in groups of customers by score. Dark dots: yours, with "
        "chance. Light squares: the consortium's. Vertical lines: 95% intervals. On the dashed line both agree.",
        "按得分分组：预测概率与实际流失占比。深色圆点为您（含偶然性），浅色方块为联盟，竖线为 95% 区间；落在虚线上表示"
        "两者一致。",
    ),
    "churn_axis_predicted": Text("predicted probability, %", "预测概率（%）"),
    "churn_axis_observed": Text("left, %", "实际流失占比（%）"),
    "churn_legend_own": Text("yours", "您"),
    "churn_legend_everyone": Text("consortium", "联盟"),
    "churn_bands": Text("Your customers by risk", "按风险划分您的客户"),
    "churn_picture_bands": Text(
        "Share of your scored customers, and of what they spent last year, in each band of risk.",
        "各风险等级占已评分客户的比例，以及占其近 365 天消费的比例。",
    ),
    "churn_legend_customers": Text("of customers", "客户占比"),
    "churn_legend_money": Text("of last year's spend", "消费占比"),
    "churn_band": Text("Risk", "风险等级"),
    "churn_band_top": Text("{low}% and more", "{low}% 及以上"),
    "churn_band_range": Text("{low}% to {high}%", "{low}% 至 {high}%"),
    "churn_band_bottom": Text("below {high}%", "低于 {high}%"),
    "churn_customers": Text("Customers", "客户"),
    "churn_share": Text("% of customers", "客户占比（%）"),
    "churn_money": Text("Spend, last year, {currency}", "近 365 天消费（{currency}）"),
    "churn_part": Text("% of spend", "消费占比（%）"),
    "churn_value": Text("Value at risk, {currency}", "风险金额（{currency}）"),
    "churn_todo": Text("What to do", "建议动作"),
    "churn_note_value": Text(
        "Value at risk: the probability of leaving times what the customer spent in the last 365 days. It says where "
        "to begin, not what you would lose.",
        "风险金额：流失概率乘以该客户近 365 天的消费。它说明从哪里着手，并不等于实际损失。",
    ),
    "churn_note_actions": Text(
        "What to do is yours to decide: change the words in {file}.", "具体做法由您决定：请在 {file} 中修改文字。"
    ),
    # the list
    "churn_list": Text("The list to act on", "行动清单"),
    "churn_list_lead": Text(
        "The first {count} by value at risk, without the lowest band; all scores are in your files and tables "
        "({name}).",
        "按风险金额排序的前 {count} 位（不含最低风险等级）；全部得分见您的文件和数据表（{name}）。",
    ),
    "churn_list_empty": Text(
        "Nobody is above the lowest band and has spent anything in the last 365 days.",
        "没有高于最低风险等级、且近 365 天有消费的客户。",
    ),
    "churn_id": Text("Customer id", "客户编号"),
    "churn_probability": Text("Leaves, %", "流失概率（%）"),
    "churn_silent": Text("Days silent", "未购天数"),
    "churn_act_by": Text("Act by", "最晚行动日"),
    "churn_expected": Text("Next purchase", "预计下次购买"),
    "churn_at_once": Text("at once", "立即"),
    "churn_never": Text("not in 2 years", "两年内无"),
    "churn_note_act_by": Text(
        "Act by: 30 days before the customer counts as lost, or one usual interval before it, if that is shorter. "
        "Lost is who has been silent for two usual intervals, at the latest after {days} days. At once: that day is "
        "here or has passed.",
        "最晚行动日：在客户被视为流失之前 30 天；若其通常间隔更短，则提前一个通常间隔。沉默满两个通常间隔即视为流失，"
        "最迟为 {days} 天后。“立即”表示该日已到或已过。",
    ),
    "churn_note_expected": Text(
        "Next purchase: the day by which it has come as likely as not, by your own interval model; silence counts "
        "against it. It knows nothing of seasons or campaigns.",
        "预计下次购买：按您自己的复购间隔模型，至该日购买与否各占一半可能；沉默越久，日期越晚。它不考虑季节和营销活动。",
    ),
    # limits
    "churn_limits": Text("What these scores can and cannot say", "得分能说明什么、不能说明什么"),
    "churn_limit_cause": Text(
        "They say who is likely to leave, not why, and not who will stay if you call. Leave a random part of the list "
        "alone: only the comparison shows what acting changes.",
        "得分说明谁可能流失，但不说明原因，也不说明联系谁就能留住谁。请随机留出一部分名单不触达：只有对比才能看出行动"
        "的效果。",
    ),
    "churn_limit_reasons": Text(
        "A reason is what moves a score most against your average customer. It is no cause, and features that tell "
        "much the same share it.",
        "“主要因素”指相对您的平均客户，对得分影响最大的特征。它不是原因；含义相近的特征会分担影响。",
    ),
    "churn_limit_drift": Text(
        "Quality is of the day of the test. Season, prices or a campaign since then change who leaves; the run after "
        "this one tests again.",
        "效果对应检验日。此后的季节、价格或营销活动都会改变流失情况；下一次运行会重新检验。",
    ),
    "churn_limit_records": Text(
        "Left means: bought nothing more from you. A customer of yours may buy at another holder, or under another id.",
        "流失指不再向您购买。您的客户可能在其他持有方购买，或换了编号。",
    ),
    "churn_limit_people": Text(
        "A score is no verdict on a person. Decisions with a legal or similarly significant effect must not rest on it "
        "alone (GDPR Art. 22, PIPL Art. 24).",
        "得分不是对个人的定论。对个人权益有重大影响的决定不得仅依据得分作出（GDPR 第 22 条、《个人信息保护法》第 24 "
        "条）。",
    ),
    "churn_limit_stated": Text(
        "The consortium's figures are as the coordinator stated them. The model is that of the plan that your own node "
        "checked and answered; the scores were computed here.",
        "联盟的数字以协调方所述为准；模型即您自己的节点核对并应答过的计划中的模型，得分在本机计算。",
    ),
}
