"""Texts of the holder's section on clusters, in English and Chinese, side by side.

Plain text only; fields in braces are filled by ``clients.report.texts.text``. Markup belongs to the template.
"""

from __future__ import annotations

from privacy.presentation.texts import Text

CLUSTERS: dict[str, Text] = {
    "groups": Text("Your customers by cluster", "您的客户群"),
    "groups_lead": Text(
        "Every customer belongs to the cluster with the nearest centre. Centres were found over all holders; which of "
        "your customers are where was worked out here, exactly: {count} as of {as_of}.",
        "每个客户属于中心离其最近的客户群。中心由全体持有方共同得出；您的客户归属在本机精确计算：截至 {as_of} 共 "
        "{count} 位。",
    ),
    "groups_nobody": Text(
        "None of your customers bought in the {active} days before {as_of}: nobody is in a cluster.",
        "在 {as_of} 之前的 {active} 天内没有客户购买，因此没有可归群的客户。",
    ),
    "groups_away": Text(
        "{away} more have not bought in the {active} days before and are in no cluster.",
        "另有 {away} 位客户在此前 {active} 天内没有购买，不归入任何客户群。",
    ),
    # findings
    "groups_more": Text(
        "{cluster} is larger with you: {own}% of your customers, against {all} in the consortium.",
        "{cluster}在您的客户中占比较高：{own}%，联盟为 {all}。",
    ),
    "groups_fewer": Text(
        "{cluster} is smaller with you: {own}% of your customers, against {all} in the consortium.",
        "{cluster}在您的客户中占比较低：{own}%，联盟为 {all}。",
    ),
    "groups_same": Text(
        "In no cluster do your customers differ from the consortium's by more than noise and chance explain.",
        "各客户群的占比与联盟的差异均未超出噪声和偶然所能解释的范围。",
    ),
    "groups_money": Text(
        "{cluster} brings most of your money: {customers}% of your customers, {revenue}% of your revenue, without a "
        "cap.",
        "{cluster}是您的主要收入来源：占客户的 {customers}%，占销售额（不设上限）的 {revenue}%。",
    ),
    "groups_moved": Text(
        "Since {day}, {changed} of the {both} customers who were there then have changed their cluster; {new} are new.",
        "自 {day} 以来，当时已有的 {both} 位客户中有 {changed} 位换了客户群，另新增 {new} 位。",
    ),
    "groups_named": Text("Cluster {id} ({words})", "客户群 {id}（{words}）"),
    "groups_name": Text("Cluster {id}", "客户群 {id}"),
    # table and picture
    "groups_cluster": Text("Cluster", "客户群"),
    "groups_picture": Text(
        "Your shares by cluster beside the consortium's. Black lines: 95% intervals of the noise.",
        "各客户群中您与联盟的占比。黑线为噪声的 95% 区间。",
    ),
    "groups_hidden": Text("hidden by the noise", "被噪声淹没"),
    "groups_note_margin": Text(
        "± is the noise added to protect persons (95%). A verdict also allows for chance, and is given only if a "
        "difference passes {factor} times its margin, so that all {count} verdicts together are right in 95% of cases.",
        "± 是为保护个人而加入的噪声（95%）。结论另计入偶然性，且差异超过其误差的 {factor} 倍才给出，使 {count} 个结论"
        "同时正确的概率为 95%。",
    ),
    "groups_note_revenue": Text(
        "Your revenue is exact and complete; shares of revenue count a customer up to the cap of its cluster, with you "
        "as in the consortium.",
        "您的销售额为精确且完整的数值；销售额占比按所属客户群的单客上限计算，您与联盟口径相同。",
    ),
    "groups_note_border": Text(
        "{count} of your customers ({share}%) are on a border: the next centre is less than a tenth further away.",
        "您有 {count} 位客户（{share}%）处于边界：到次近中心的距离只比到所属中心多不到一成。",
    ),
    # movement
    "groups_movement": Text("Moves between clusters since {day}", "自 {day} 以来的客户群变动"),
    "groups_movement_lead": Text(
        "{changed} of the {both} customers of both days are in another cluster now.{gone}",
        "两日均有的 {both} 位客户中，{changed} 位换了客户群。{gone}",
    ),
    "groups_gone": Text(
        " {gone} of then are in none any more.",
        "当时的客户中有 {gone} 位不再归入任何客户群。",
    ),
    "groups_movement_why": Text(
        "{own} of them would be in another one by that day's centres, too, because they behave otherwise; the other "
        "{rest} changed because the centres moved.",
        "其中 {own} 位即使按当时的中心也会换群，即自身行为改变；其余 {rest} 位是因为中心移动。",
    ),
    "groups_movement_own": Text(
        "All of them would be in another one by that day's centres, too: they behave otherwise, and no centre's move "
        "changed their cluster.",
        "按当时的中心，这些客户同样会换群：均因自身行为改变，并非中心移动所致。",
    ),
    "groups_matrix": Text(
        "Your customers by cluster then (rows) and now (columns)", "按当时客户群（行）与现在客户群（列）的客户数"
    ),
    "groups_vanished": Text("there no more", "已不存在"),
    "groups_not_comparable": Text(
        "Moves are shown from the second run on that keeps the ids of a run you were labelled by.",
        "自第二次运行起显示变动：该次运行须沿用您此前打标签时所用的编号。",
    ),
    # actions
    "groups_act": Text("What to do with each cluster", "各客户群行动清单"),
    "groups_act_lead": Text(
        "Suggestions follow from what sets a cluster apart. What to do is yours to decide: write it into {file}, under "
        "[cluster_1] for cluster 1. {order} All ids are in your labels, in the files that end in -clusters.",
        "建议依据各群的突出特征给出，具体做法由您决定：请写入 {file}，例如群 1 写在 [cluster_1] 下。{order}"
        "完整名单见以 -clusters 结尾的标签文件。",
    ),
    "suggest_lost_worth": Text(
        "They were worth much and are leaving: write or call in person, ask why, make one good offer with an end date.",
        "价值高但正在流失：一对一联系，询问原因，给一次有期限的优质优惠。",
    ),
    "suggest_lost": Text(
        "One cheap reminder, then quiet: stop where nobody answers.", "发送一次低成本提醒；没有回应则停止触达。"
    ),
    "suggest_new": Text(
        "Win the second order: a welcome, help with the first purchase, a reason to come back within weeks.",
        "促成第二单：欢迎信、首单使用指导，并给出近期回购的理由。",
    ),
    "suggest_fading": Text(
        "They buy less than before: remind them of what they liked, and ask, while they still come.",
        "购买正在减少：趁其仍在购买，提醒其喜欢的商品并询问原因。",
    ),
    "suggest_returns": Text(
        "Find out what comes back and why: sizes, pictures, descriptions; no offers that bring more returns.",
        "查明退货商品与原因（尺码、图片、描述）；避免会带来更多退货的促销。",
    ),
    "suggest_discount": Text(
        "They wait for offers: show them clearance first, and try the same without a discount on half of them.",
        "习惯等待优惠：优先推送清仓商品，并对其中一半尝试不打折。",
    ),
    "suggest_best": Text(
        "Keep them close: early access, personal service, a thank-you without a discount.",
        "重点维系：新品优先购、专属服务、不打折的感谢。",
    ),
    "suggest_basket": Text(
        "They come often: raise the basket with bundles and a free-delivery threshold just above their usual order.",
        "购买频繁：用套装和略高于平均客单的包邮门槛提高客单价。",
    ),
    "suggest_often": Text(
        "They spend much at a time: suggest what goes with the last purchase, and remind them when it is due.",
        "单次消费高：推荐与上次购买搭配的商品，并在应回购时提醒。",
    ),
    "suggest_times": Text("Write when they shop: in the evening or at weekends.", "在其购物的时段（晚间或周末）触达。"),
    "suggest_seldom": Text(
        "Keep it cheap: newsletters only; one entry offer to see who grows.",
        "低成本维护：仅发送资讯；用一次入门优惠找出有潜力的客户。",
    ),
    "suggest_category": Text("Lead with {of}: news and what goes with it.", "以{of}为主：推送新品和搭配商品。"),
    "suggest_channel": Text("Reach them through {of}.", "通过{of}渠道触达。"),
    "suggest_other": Text(
        "No usual recipe fits what sets them apart: try one offer on half of them and compare.",
        "其突出特征没有通用做法：对其中一半尝试一种优惠并作比较。",
    ),
    "suggest_middle": Text(
        "Nothing sets them apart: the usual programme; try one offer on half of them and compare.",
        "没有突出特征：沿用常规活动；对其中一半尝试一种优惠并作比较。",
    ),
    "groups_by_money": Text(
        "Ids are the first {count} of each cluster by money.", "编号为各群消费金额最高的前 {count} 位。"
    ),
    "groups_by_distance": Text("Ids are the {count} nearest to each centre.", "编号为离各群中心最近的 {count} 位。"),
    "groups_limit_ids": Text(
        "The centres are those of the plan that your own node checked and answered; ids and the consortium's figures "
        "are as the coordinator stated them.",
        "中心即您自己的节点核对并应答过的计划中的中心；编号和联盟的数字以协调方所述为准。",
    ),
    "groups_limit_borders": Text(
        "Behaviour has no sharp borders: the same customers could be cut otherwise at hardly more cost.",
        "行为本无清晰边界：同样的客户也可以用几乎同样好的方式另行划分。",
    ),
    "groups_limit_cause": Text(
        "A cluster says how customers behave, not why, and not what would change it.",
        "客户群说明行为如何，不说明原因，也不说明怎样改变。",
    ),
}
