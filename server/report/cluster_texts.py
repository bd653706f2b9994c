"""Texts of the section on clusters, in English and Chinese, side by side.

Plain text only; fields in braces are filled by ``server.report.texts.text``. Markup belongs to the templates.
"""

from __future__ import annotations

from privacy.presentation.texts import Text

CLUSTERS: dict[str, Text] = {
    "title_clusters": Text("Customer clusters report", "客户聚类分析报告"),
    "clusters": Text("Customer clusters", "客户聚类"),
    "cluster": Text("Cluster", "客户群"),
    "cluster_name": Text("Cluster {id}", "客户群 {id}"),
    "cluster_with_words": Text("cluster {id} ({words})", "客户群 {id}（{words}）"),
    # questions
    "question_cluster_size": Text("clusters: number of customers", "聚类：客户数"),
    "question_cluster_moments": Text("clusters: how features vary together", "聚类：特征的均值与协方差"),
    "question_cluster_grid": Text("clusters: customers by cell of a grid", "聚类：网格计数"),
    "question_refinement_1": Text("clusters: first refinement", "聚类：第一次细化"),
    "question_refinement_2": Text("clusters: second refinement", "聚类：第二次细化"),
    "question_centres": Text("clusters: around the centres", "聚类：中心校准"),
    "question_cluster_profile": Text("clusters: sizes, revenue and typical values", "聚类：规模、销售额与典型值"),
    # headline
    "card_clusters": Text("Clusters", "客户群数量"),
    "card_clusters_found": Text("found in the data", "由数据确定"),
    "card_clusters_fixed": Text("set by the study", "由分析项目设定"),
    "card_clusters_kept": Text("as in the earlier run", "沿用此前运行"),
    "clusters_finding_largest": Text(
        "The largest cluster is {cluster} with {share} of customer records.",
        "规模最大的是{cluster}，占客户记录的 {share}。",
    ),
    "clusters_finding_largest_tie": Text(
        "The largest clusters are {first} with {first_share} of customer records and {second} with {second_share}; the "
        "noise does not tell which is larger.",
        "规模最大的是{first}（{first_share}）和{second}（{second_share}）；在噪声范围内无法分出先后。",
    ),
    "clusters_finding_revenue": Text(
        "Most revenue comes from {cluster}: {revenue} {currency} with {share} of customer records.",
        "销售额最高的是{cluster}：以 {share}的客户记录贡献 {revenue}{currency}。",
    ),
    "clusters_finding_revenue_tie": Text(
        "Most revenue comes from {first} and {second}; the noise does not tell from which of them more.",
        "销售额最高的是{first}和{second}；在噪声范围内无法分出先后。",
    ),
    "clusters_finding_none": Text(
        "The noise hides the sizes of the clusters: there are too few customers for this budget.",
        "噪声掩盖了各客户群的规模：相对于本次预算，客户数过少。",
    ),
    "clusters_finding_moves": Text(
        "Since {origin}: {counts}; {beyond} of {of} shares changed by more than the noise explains.",
        "与 {origin} 相比：{counts}；{of} 个占比中有 {beyond} 个的变化超出噪声范围。",
    ),
    "count_stayed": Text("{count} stayed", "{count} 个未移动"),
    "count_moved": Text("{count} moved", "{count} 个移动"),
    "count_new": Text("{count} new", "{count} 个新增"),
    "count_gone": Text("{count} gone", "{count} 个消失"),
    "missing_note_clusters": Text(
        "Left out: {holders}. The holder did not take part to the end; figures of questions after it left do not "
        "contain its customers.",
        "未纳入：{holders}。该持有方未全程参与，其退出之后各次提问的数字不含其客户。",
    ),
    "missing_note_clusters_many": Text(
        "Left out: {holders}. These holders did not take part to the end; figures of questions after they left do not "
        "contain their customers.",
        "未纳入：{holders}。这些持有方未全程参与，其退出之后各次提问的数字不含其客户。",
    ),
    # what was looked for
    "clusters_lead": Text(
        "Customers that behave alike stand together: every customer belongs to the cluster with the nearest centre. "
        "The centres are released with noise, and every holder applies them to its own customers.",
        "行为相近的客户归为一群：每个客户属于中心离其最近的客户群。各中心以含噪形式公布，由各持有方用于自己的客户。",
    ),
    "clusters_by": Text("Compared by", "比较依据"),
    "clusters_number": Text("Number of clusters", "客户群数量"),
    "clusters_number_found": Text("{k}, the best of {low} to {high}", "{k} 个，在 {low} 至 {high} 个中最优"),
    "clusters_number_fixed": Text("{k}, set by the study", "{k} 个，由分析项目设定"),
    "clusters_number_kept": Text("{k}, as in {origin}", "{k} 个，沿用 {origin}"),
    "clusters_who": Text("Customers", "适用客户"),
    "clusters_who_is": Text(
        "with a purchase in the {days} days before the as-of day", "截止日前 {days} 天内有过购买的客户"
    ),
    "clusters_who_all": Text("all with a purchase", "全部有过购买的客户"),
    # tables
    "clusters_sizes": Text("Size and revenue", "规模与销售额"),
    "cluster_typical": Text("Typical values", "典型值"),
    "cluster_feature": Text("Feature", "特征"),
    "cluster_note_words": Text(
        "The words under a cluster's number are the name that the study gives it, or else are made from its typical "
        "values: what sets it apart from all customers, at most three features. Numbers stay the same from run to run "
        "where a run keeps those of the one before.",
        "客户群编号下方是分析项目中自定义的名称；未命名时由典型值自动生成，列出其区别于"
        "全部客户的特征（至多三项）。若本次运行沿用上次的编号，则编号保持不变。",
    ),
    "cluster_note_cap": Text(
        "To bound what one customer can change, a customer's spend counts up to a limit of its cluster: {caps}. Spend "
        "above it is not counted.",
        "为限制单个客户对结果的影响，每个客户的消费金额最多按所属客户群的上限计入：{caps}。超出部分未计入。",
    ),
    "cluster_cap": Text("{money} {currency} (cluster {id})", "{money} {currency}（客户群 {id}）"),
    "cluster_note_typical": Text(
        "A typical value is the mean place of the cluster's customers on the feature's public scale, written in the "
        "feature's unit. On scales by ratio (days since the last purchase, orders, spend) it is nearer to the customer "
        "in the middle than to the average: typical spend times records is less than revenue.",
        "典型值是该群客户在特征公开刻度上的平均位置，再换算为该特征的单位。对于按比例的刻度（距上次购买天数、订单数、"
        "消费金额），典型值更接近居中的客户，而非算术平均：典型消费金额乘以记录数小于销售额。",
    ),
    "cluster_note_missing": Text(
        "Customers whose feature cannot be computed (an interval with a single order) count at a fixed, public place.",
        "无法计算某特征的客户（例如只有一笔订单，没有复购间隔）按固定的公开位置计入。",
    ),
    # pictures
    "cluster_pictures": Text("What sets the clusters apart", "各客户群的差异"),
    "cluster_heat": Text("Features by cluster", "各客户群的特征"),
    "picture_cluster_heat": Text(
        "How far each cluster is from the mean of all customers, in standard deviations of all customers. Dark: above; "
        "light: below; in brackets: within the noise.",
        "各客户群偏离全部客户均值的程度，单位为全部客户的标准差。颜色越深越高，越浅越低；括号内的数字在噪声范围内。",
    ),
    "cluster_parallel": Text("The same as lines", "以折线表示"),
    "picture_cluster_parallel": Text(
        "One line a cluster, in standard deviations from the mean of all customers (dashed line). Lines are told apart "
        "by their marks and by the numbers of the clusters at the top.",
        "每条折线为一个客户群，横轴为偏离全部客户均值（虚线）的标准差数。折线以标记形状和顶部的客户群编号区分。",
    ),
    "axis_below": Text("below the mean", "低于均值"),
    "axis_above": Text("above the mean", "高于均值"),
    "cluster_map": Text("Where the clusters are", "客户群的位置"),
    "picture_cluster_map": Text(
        "Centres of the clusters by the two features that tell most of them apart; the area of a circle is the "
        "cluster's share of customer records.",
        "按最能区分客户群的两个特征绘制的各群中心；圆的面积表示该群的客户记录占比。",
    ),
    "cluster_tree": Text("Which clusters are near each other", "客户群的远近"),
    "picture_cluster_tree": Text(
        "Clusters merged step by step, the nearest first (Ward's method over the centres). The farther right two "
        "branches meet, the less alike they are.",
        "将客户群由近及远逐步合并（对各中心采用 Ward 法）。两个分支的汇合处越靠右，差异越大。",
    ),
    "axis_unlike": Text("less alike", "差异更大"),
    "cluster_silhouette": Text("How many clusters?", "客户群数量的选择"),
    "picture_cluster_silhouette": Text(
        "Mean silhouette by number of clusters, from the noisy model of where customers are. The filled mark is the "
        "number that was chosen.",
        "不同客户群数量下的平均轮廓系数，由含噪的客户分布模型计算。实心标记为选定的数量。",
    ),
    "axis_clusters": Text("number of clusters", "客户群数量"),
    "axis_silhouette": Text("mean silhouette", "平均轮廓系数"),
    "silhouette_note": Text(
        "Silhouette: how much nearer customers are to their own cluster than to the next one, from 0 (not at all) to "
        "1. It cost nothing: it is computed from answers that were released already. Two clusters are not tried.",
        "轮廓系数：客户离本群比离次近的群近多少，0 为毫无差别，最高为 1。该计算不花费预算，只使用已公布的应答；不尝"
        "试仅分两群。",
    ),
    "silhouette_weak": Text(
        "Even the best is below {least}: customers form no separate groups, and the clusters cut a continuous "
        "whole into parts.",
        "最优值仍低于 {least}：客户并未形成彼此分离的群体，聚类只是把连续的整体切分成若干部分。",
    ),
    "silhouette_flat": Text(
        "{others} would have done almost as well (within {near}): choose by how many groups you can serve.",
        "{others} 个的效果几乎相同（相差不超过 {near}）：可按实际能够运营的客户群数量选择。",
    ),
    # moves
    "cluster_moves": Text("What changed since {origin}", "与 {origin} 相比的变化"),
    "moves_what": Text("What became of it", "变化"),
    "moves_now": Text("This run, %", "本次运行（%）"),
    "moves_then": Text("Earlier run, %", "此前运行（%）"),
    "moves_stayed": Text("stayed", "未移动"),
    "moves_moved": Text("moved", "移动"),
    "moves_new": Text("new", "新增"),
    "moves_gone": Text("gone", "消失"),
    "moves_note": Text(
        "Stayed: the centre moved by less than a quarter of the way to the nearest other centre of the earlier run; "
        "moved: by more, but less than that whole way. New and gone clusters have no partner so near. Centres leave "
        "their place only where the data need it.",
        "未移动：中心的移动距离不足此前运行中到最近其他中心距离的四分之一；移动：超过四分之一，但小于该距离。新增与"
        "消失的客户群在此范围内没有对应者。只有数据需要时，中心才会离开原位。",
    ),
    # limits
    "clusters_limits": Text("What these figures can and cannot say", "这些数字能说明什么、不能说明什么"),
    "clusters_limit_borders": Text(
        "Clusters describe where customers are. Borders between them are ours, not nature's: a customer near a border "
        "may be in either, and another study may cut elsewhere.",
        "聚类描述客户的分布。群与群之间的边界是人为划定的：靠近边界的客户归入哪一群都有可能，换一项分析也可能切在别处。",
    ),
    "clusters_limit_cause": Text(
        "They do not say why customers behave so, nor what they will do next, nor whom a campaign will move. Only a "
        "trial with a group that is left alone shows that.",
        "聚类不说明客户为何如此，也不说明其今后的行为，或营销活动对谁有效。只有设置不触达的对照组才能看出效果。",
    ),
    "clusters_limit_margins": Text(
        "Margins cover the privacy noise in sizes, revenue and typical values of the clusters as they are published. "
        "They do not cover where the centres lie: a run with new noise would place them a little elsewhere. The "
        "pictures have no margins: for small clusters, go by the tables.",
        "± 反映已公布客户群的规模、销售额和典型值中的隐私噪声，不反映中心的位置：以新的噪声重新运行，中心会略有不同。"
        "图中没有误差；对于小规模客户群，请以表格为准。",
    ),
    "clusters_limit_records": Text(
        "A person who is a customer at two holders is two records, which may be in different clusters.",
        "同一个人若是两个持有方的客户，则为两条记录，可能属于不同的客户群。",
    ),
    "clusters_limit_people": Text(
        "A cluster is no verdict on a person, and no trait that is not in its features can be read from it.",
        "客户群不是对个人的定论，也不能由此推断特征之外的任何个人属性。",
    ),
}
