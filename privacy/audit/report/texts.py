"""Texts of the auditor's report, in English and Chinese, side by side."""

from __future__ import annotations

from privacy.presentation.texts import COMMON, Language, Text, say

TEXTS: dict[str, Text] = COMMON | {
    "title": Text("Privacy budget: auditor's report", "隐私预算审计报告"),
    "federation": Text("Federation", "联盟"),
    "records": Text("Records read", "已读记录"),
    "period": Text("Charges from – to", "扣费起止"),
    "made": Text("Made on", "生成日期"),
    "no_charges": Text("no charges", "无扣费"),
    "of_members": Text("{count}: {names}", "{count} 份：{names}"),
    "verdict_pass": Text(
        "All {count} claims pass: the records are whole, signed and consistent with each other, and the noise "
        "that they state implies the figures below.",
        "全部 {count} 项检查通过：记录完整、有签名、相互一致，其中声明的噪声可推出下列数值。",
    ),
    "verdict_fail": Text(
        "{failed} of {count} claims fail. Do not rely on the figures below before they are explained.",
        "{count} 项检查中有 {failed} 项未通过。在查明之前，请勿依赖下列数值。",
    ),
    "plain": Text("What it means", "通俗说明"),
    "plain_guess": Text(
        "Take any one customer, with all their records at up to {k} holder(s), and anybody who sees every result "
        "ever released. Asked whether this customer's records were in the data, they would be right at most "
        "{guess}% of the time, where tossing a coin is right 50% of the time.",
        "任取一位客户（其在至多 {k} 个持有方处的全部记录），假设有人看到了全部已发布结果。若问该客户的记录是否在"
        "数据中，其答对的概率至多为 {guess}%，而抛硬币的概率为 50%。",
    ),
    "plain_left": Text(
        "{holder} has used {used}% of what it allows for life. What is left would pay for one more study of "
        "epsilon {left}, or several smaller ones.",
        "{holder} 已使用终身预算的 {used}%。剩余部分可支持一项 ε 为 {left} 的分析，或若干更小的分析。",
    ),
    "plain_person": Text(
        "One person over all records together, who is a customer of {holders}: epsilon {spent} at delta {delta}, of "
        "{cap}. No other person at {k} holder(s) comes nearer to the cap.",
        "合并全部记录后的单个人（同时为 {holders} 的客户）：ε 为 {spent}（δ = {delta}），上限 {cap}。在 {k} 个持有方处"
        "的其他任何人都不比此人更接近上限。",
    ),
    "plain_person_bound": Text(
        "One person over all records together, at any {k} holder(s): epsilon at most {spent} at delta {delta}, of "
        "{cap}; nearest to the cap are customers of {holders}.",
        "合并全部记录后，任意 {k} 个持有方处的单个人：ε 至多为 {spent}（δ = {delta}），上限 {cap}；最接近上限的是 "
        "{holders} 的客户。",
    ),
    "plain_person_missing": Text(
        "The records of {missing} are not here, and what a person there lost is not in this figure.",
        "缺少 {missing} 的记录，此人在该处的损失未计入上述数值。",
    ),
    "plain_forever": Text(
        "What is spent stays spent: a result that is known cannot be taken back, and no budget is ever given back.",
        "已用预算不可收回：已公开的结果无法撤回，预算也从不退还。",
    ),
    "plain_not": Text(
        "This is about single customers. What results say about customers in general is their purpose and is not "
        "limited by it.",
        "以上保护的是单个客户。结果所反映的客户总体规律正是分析目的，不受此限制。",
    ),
    "card_spent": Text("Most spent at one holder, epsilon", "单一持有方最高已用 ε"),
    "card_spent_of": Text("of {cap} for life, at delta {delta}", "终身上限 {cap}，δ = {delta}"),
    "card_studies": Text("Studies", "分析项目数"),
    "card_questions": Text("{count} charged questions", "{count} 次计费提问"),
    "card_guess": Text("Best guess about one customer", "对单个客户的最佳猜中率"),
    "card_guess_blind": Text("50% is blind", "50% 为盲猜"),
    "card_refused": Text("Refusals recorded", "已记录的拒绝"),
    "card_refused_note": Text("by holders, before any charge", "由持有方作出，未计费"),
    "budget": Text("Budget by holder", "各持有方预算"),
    "budget_caption": Text("Epsilon for one person, at each holder's own delta", "单个人的 ε（按各持有方的 δ）"),
    "holder": Text("Holder", "持有方"),
    "cap": Text("Cap for life", "终身上限"),
    "counted": Text("K", "K"),
    "person": Text("Spent: person", "已用：个人"),
    "own": Text("own", "单一记录"),
    "everywhere": Text("at every holder", "在所有持有方"),
    "used": Text("Used", "已用比例"),
    "left": Text("One study that still fits", "仍可支持的单项分析"),
    "this_period": Text("Its last period", "最近周期"),
    "period_cell": Text("{spent} of {cap}, to {until}", "{spent} / {cap}，至 {until}"),
    "no_period": Text("no cap by period", "无周期上限"),
    "relations": Text(
        "Person: all records of one person at K holders of the federation: as many as the holder declared, or all of "
        "them; of a study, at its own k. Own: one customer id at one holder. At every holder: if the declaration is "
        "wrong and a person is a customer of all of them.",
        "个人：一个人在联盟中 K 个持有方处的全部记录（K 为该持有方所声明的数目，未声明则为全部持有方；分析项目则按其"
        "自身的 k）。单一记录：某一持有方处的一个客户编号。在所有持有方：若声明有误、此人是所有持有方的客户。",
    ),
    "warn_80": Text("{holder} has used 80% or more of a cap.", "{holder} 的某一上限已使用 80% 以上。"),
    "time_title": Text("Spent over time", "预算使用过程"),
    "time_alt": Text(
        "Epsilon for one person at {holder}, from {first} to {last}: {spent} of {cap}",
        "{holder} 处单个人的 ε，{first} 至 {last}：已用 {spent}，上限 {cap}",
    ),
    "time_caption": Text(
        "Epsilon for one person after each day with charges. Epsilons do not add up: mu² does, so that the curve "
        "flattens.",
        "每个有扣费之日结束后单个人的 ε。ε 本身不相加，相加的是 μ²，因此曲线逐渐变缓。",
    ),
    "time_cap": Text("cap for life: {cap}", "终身上限：{cap}"),
    "analyses": Text("By analysis", "按分析类型"),
    "analyses_caption": Text("At {holder}; each row by itself", "{holder}；各行单独计算"),
    "analysis": Text("Analysis", "分析"),
    "questions": Text("Questions", "提问数"),
    "studies": Text("Studies", "分析项目"),
    "studies_caption": Text(
        "What was asked, when, by whose permission and at what price",
        "问了什么、何时、由谁许可、代价几何",
    ),
    "study_name": Text("Study", "分析项目"),
    "asked": Text("Asked", "提问日期"),
    "promised": Text("Promised", "承诺上限"),
    "noise": Text("Noise", "噪声"),
    "noise_distributed": Text("by all holders together", "由各持有方共同添加"),
    "noise_local": Text("by each holder alone", "由每个持有方独立添加"),
    "noise_central": Text("by the coordinator, who sees exact totals", "由协调方添加（其可见精确合计）"),
    "noise_float": Text("{how}, of 2^32 states: count the values as known", "{how}，仅 2^32 种状态：应视为数值已知"),
    "k": Text("k", "k"),
    "permission": Text("Permission", "许可依据"),
    "permission_approved": Text("approved by hand", "人工批准"),
    "permission_policy": Text("policy", "策略"),
    "exceptions": Text("Refusals and exceptions", "拒绝与例外"),
    "refused_caption": Text("Refusals", "拒绝记录"),
    "code": Text("Code", "代码"),
    "day": Text("Day", "日期"),
    "no_exceptions": Text("There are none on record.", "无记录。"),
    "checked": Text("What was checked", "检查内容"),
    "claims_caption": Text("Claims, and how often each passed", "检查项及通过次数"),
    "claim": Text("Claim", "检查项"),
    "passed": Text("Passed", "通过"),
    "failed": Text("Failed", "未通过"),
    "failures": Text("Failures", "未通过项"),
    "accountants": Text("Three accountants", "三种核算方法"),
    "accountants_caption": Text("Epsilon of each record, recomputed from its facts", "由各记录的事实重新计算的 ε"),
    "record": Text("Record", "记录"),
    "closed_form": Text("closed form", "闭式解"),
    "not_asked": Text("not installed", "未安装"),
    "meaning": Text("What a pass does not say", "通过不意味着什么"),
    "meaning_1": Text(
        "That noise was really added, rows were really limited, or a node ran the published code: records state "
        "it, and cannot show it.",
        "不能证明噪声确已添加、行数据确已限幅、节点确实运行所公布的代码：记录只能声明，不能展示。",
    ),
    "meaning_2": Text(
        "That declarations are true: at how many holders one person is (k), how many parties collude (t), the "
        "size class.",
        "不能证明声明属实：一个人至多出现在多少个持有方（k）、多少方串通（t）、规模级别。",
    ),
    "meaning_3": Text(
        "That nothing left a holder by another way, or that input data were true.",
        "不能证明没有数据通过其他途径流出，或输入数据真实。",
    ),
    "gdpr": Text("Annex: GDPR", "附录：GDPR"),
    "gdpr_lead": Text(
        "For the controllers' own files; each holder is the controller of its customers' data. Fields in "
        "brackets are for the holder to fill in. This is no legal advice.",
        "供各控制者存档使用；每个持有方是其客户数据的控制者。方括号内由持有方填写。本文不构成法律意见。",
    ),
    "gdpr_records": Text("Records of processing (Article 30)", "处理活动记录（第 30 条）"),
    "gdpr_dpia": Text("Data protection impact assessment (Article 35)", "数据保护影响评估（第 35 条）"),
    "gdpr_profiling": Text("Profiling and decisions (Articles 4(4), 21, 22)", "画像与决策（第 4(4)、21、22 条）"),
    "pipl": Text("Annex: PIPL", "附录：《个人信息保护法》"),
    "pipl_lead": Text(
        "For the personal information handlers' own files, as above.",
        "供各个人信息处理者存档使用，说明同上。",
    ),
    "pipl_pia": Text(
        "Personal information protection impact assessment (Articles 55, 56)",
        "个人信息保护影响评估（第 55、56 条）",
    ),
    "pipl_auto": Text("Automated decision-making (Article 24)", "自动化决策（第 24 条）"),
    "row_purpose": Text("Purpose", "目的"),
    "row_purpose_text": Text(
        "Joint customer analytics of {holders} retailer(s): {analyses}. Studies: {studies}.",
        "{holders} 家零售企业联合客户分析：{analyses}。分析项目：{studies}。",
    ),
    "row_controller": Text("Controllers and contacts", "控制者与联系方式"),
    "row_controller_text": Text(
        "{names}; [contact of each; data protection officer]",
        "{names}；［各方联系方式；数据保护官］",
    ),
    "row_subjects": Text("Data subjects and data", "数据主体与数据"),
    "row_subjects_text": Text(
        "Customers of each holder; per customer: days since the last purchase, orders, money spent and what the "
        "studies name. No contact data, no free text.",
        "各持有方的客户；每位客户：距上次购买天数、订单数、消费金额及分析项目所列特征。不含联系方式与自由文本。",
    ),
    "row_recipients": Text("Recipients and transfers", "接收方与传输"),
    "row_recipients_text": Text(
        "None receives personal data. Members of {federation} receive noisy totals over all holders. [Third "
        "countries: none through this system; state where members are.]",
        "无任何一方接收个人数据。{federation} 的成员仅接收各持有方合计的含噪结果。［第三国：本系统不涉及；请注明"
        "成员所在地。］",
    ),
    "row_retention": Text("Erasure", "删除期限"),
    "row_retention_text": Text(
        "Labels and tables at a holder: [period]; `cohortium holder forget` removes one person. Released totals "
        "contain no personal data and stay; noise that was released cannot be undone.",
        "持有方处的标签与数据表：［期限］；`cohortium holder forget` 可删除单个人。已发布的合计不含个人数据，予以"
        "保留；已发布的含噪结果无法撤回。",
    ),
    "row_measures": Text("Security measures", "安全措施"),
    "row_measures_text": Text(
        "Rows stay with the holder; secure summation; noise that no single party knows; budget charged before "
        "any answer, in hash-chained ledgers; signatures; TLS.",
        "行数据不出持有方；安全求和；任何一方均不掌握的噪声；回答前先在哈希链账本扣费；签名；TLS。",
    ),
    "row_necessity": Text("Necessity and proportion", "必要性与相称性"),
    "row_necessity_text": Text(
        "Common cut points, segments and models cannot be had from one holder alone; only totals are released, "
        "at epsilon {spent} for one person so far (cap {cap}).",
        "共同的分位点、分群与模型无法由单一持有方得到；仅发布合计，迄今单个人 ε 为 {spent}（上限 {cap}）。",
    ),
    "row_risks": Text("Risks to people", "对个人的风险"),
    "row_risks_text": Text(
        "Being recognised in results: at most {guess}% to guess right (50% is blind). If people are customers of "
        "every holder, epsilon is {everywhere}. Unfair treatment by labels at a holder: that holder's own "
        "responsibility.",
        "在结果中被识别：猜中率至多 {guess}%（盲猜 50%）。若客户同时属于所有持有方，则 ε 为 {everywhere}。持有方"
        "依标签区别对待：由该持有方负责。",
    ),
    "row_residual": Text("What is left, and who decides", "剩余风险与决策"),
    "row_residual_text": Text(
        "Declarations (k, t, size class) are not verifiable; see the list above. [Assessment and decision of the "
        "controller; view of the data protection officer; consultation under Article 36 if risk stays high.]",
        "声明（k、t、规模级别）无法验证，见上文。［控制者的评估与决定；数据保护官意见；若风险仍高，依第 36 条事先"
        "咨询。］",
    ),
    "row_profiling": Text("Profiling", "画像"),
    "row_profiling_text": Text(
        "Each holder evaluates its own customers' buying behaviour: {labels}. That is profiling in the sense of "
        "Article 4(4). Results are computed at the holder and are not shared.",
        "各持有方评估自己客户的购买行为：{labels}。属于第 4(4) 条意义上的画像。结果在持有方本地计算，不对外共享。",
    ),
    "row_decisions": Text("Decisions about people", "对个人的决策"),
    "row_decisions_text": Text(
        "The system takes none. [If a holder lets labels decide alone with legal or similarly significant "
        "effect: Article 22 applies; name the safeguard and the person who decides.] Objection to direct "
        "marketing (Article 21): [channel].",
        "本系统不作决策。［若持有方仅凭标签作出具有法律效力或类似重大影响的决定，则适用第 22 条；请写明保障措施与"
        "负责人。］反对直接营销（第 21 条）：［渠道］。",
    ),
    "row_legal": Text("Lawful, proper, necessary", "合法、正当、必要"),
    "row_legal_text": Text(
        "[Basis under Article 13, such as consent or contract.] Purpose as in the annex above.",
        "［第 13 条项下的依据，如同意或合同。］目的见上一附录。",
    ),
    "row_protection": Text(
        "Whether protection is lawful, effective and fits the risk",
        "保护措施是否合法、有效并与风险相适应",
    ),
    "row_transparency": Text("Transparency and fairness", "透明与公平"),
    "row_transparency_text": Text(
        "No unreasonable differential treatment in prices or terms by labels (Article 24(1)): [how this is made "
        "sure]. Marketing by labels offers an option that is not based on personal traits, or a simple way to "
        "refuse (24(2)): [channel]. On request, a decision with major effect is explained and may be refused "
        "(24(3)): [contact].",
        "不因标签在价格等交易条件上实行不合理的差别待遇（第 24 条第 1 款）：［保障方式］。依标签营销时同时提供不"
        "针对个人特征的选项或便捷的拒绝方式（第 2 款）：［渠道］。对个人权益有重大影响的决定，可要求说明并有权拒"
        "绝（第 3 款）：［联系方式］。",
    ),
    "row_keep": Text("Kept for", "保存期限"),
    "row_keep_text": Text("At least three years (Article 56).", "至少三年（第 56 条）。"),
    "footer_report": Text(
        "Made from the records named above by {version}, offline. This file loads nothing from anywhere.",
        "由 {version} 离线依据上述记录生成。本文件不从任何地方加载内容。",
    ),
}


def text(key: str, language: Language, **fields: object) -> str:
    """A text of the report."""
    return say(TEXTS, key, language, **fields)
