"""Texts of the model card, in English and Chinese, side by side; what a model is for and not for is in its file."""

from __future__ import annotations

from privacy.presentation.texts import COMMON, Language, Text, say
from server.report.churn_texts import CHURN

CARD: dict[str, Text] = {
    "card_title": Text("Model card", "模型卡"),
    "title_gap": Text(": ", "："),
    "card_name": Text("Churn within {days} days", "{days} 天流失预测模型"),
    "card_federation": Text("Federation", "联合体"),
    "card_finished": Text("Made on", "生成日期"),
    "card_signed": Text(
        "Everything on this page comes from the model file, which {signer} has signed as coordinator of the federation "
        "{federation}.",
        "本页内容全部取自模型文件；该文件由联合体 {federation} 的协调方 {signer} 签名。",
    ),
    # details
    "card_details": Text("Model details", "模型概况"),
    "card_family": Text("Kind", "类型"),
    "card_target": Text("Predicts", "预测目标"),
    "card_inputs": Text("Inputs", "输入"),
    "card_inputs_are": Text(
        "{count} features of a customer's own purchases before the cutoff, each on a public scale; no name, address, "
        "age, sex or other personal attribute",
        "客户自身在截止日前购买记录的 {count} 个特征，均按公开刻度标准化；不含姓名、地址、年龄、性别等个人属性",
    ),
    "card_arithmetic": Text("Arithmetic", "计算方式"),
    "card_arithmetic_is": Text(
        "integer weights: the same customer gets the same score on every machine",
        "整数权重：同一客户在任何机器上得分相同",
    ),
    "card_made_by": Text("Software", "软件版本"),
    "card_run": Text("Run", "运行编号"),
    "card_study_digest": Text("Study digest", "分析项目摘要"),
    "card_model_digest": Text("Model digest", "模型摘要"),
    "card_file_digest": Text("SHA-256 of the file", "文件 SHA-256"),
    # use
    "card_use": Text("Intended use", "适用范围"),
    "card_use_for": Text("Meant for", "适用于"),
    "card_use_not": Text("Not meant for", "不适用于"),
    # factors
    "card_factors": Text("Factors", "影响因素"),
    "card_factors_known": Text(
        "Quality depends on how often a customer buys, how long the holder has known them, the holder's trade, and the "
        "season of training, test and use.",
        "模型效果取决于客户的购买频率、客户与持有方往来的时长、持有方的行业，以及训练、检验和使用各自所处的季节。",
    ),
    "card_factors_groups": Text(
        "It was measured over the customers of all holders together, not by groups of people: no personal attributes "
        "are among the data. That it serves all groups alike has not been shown.",
        "模型效果是对所有持有方的客户整体测得的，未按人群分别测量：数据中不含个人属性。因此未能证明它对各类人群同样有效。",
    ),
    # data
    "card_training": Text("Training data", "训练数据"),
    "card_training_is": Text(
        "Customers of {holders} holders with a purchase in the {active} days before the cutoff of {cutoffs}; the "
        "outcome is whether a purchase followed in the next {days} days. The data stayed with the holders: only sums "
        "with noise left them, and nothing about the training data beyond those is in this card.",
        "{holders} 个持有方的客户，在截止日 {cutoffs} 前 {active} 天内有过购买；结果为其后 {days} 天内是否再次购买。"
        "数据始终留在各持有方，离开持有方的只有含噪的总和；除此之外，本卡不含任何训练数据信息。",
    ),
    "card_evaluation": Text("Evaluation data", "检验数据"),
    "card_evaluation_is": Text(
        "The customers of the same holders by the same rule on {day}, with what they bought until {end}: later than "
        "everything the model learnt from. Estimated number: {count}. Many of them were in the training as well, at an "
        "earlier day.",
        "同样的持有方、按同样规则在 {day} 选取的客户，以截至 {end} 的购买情况为准：晚于模型学习所用的全部数据。"
        "估计人数：{count}。其中许多客户在较早的日期也参与了训练。",
    ),
    # metrics
    "card_metrics": Text("Metrics", "效果指标"),
    "card_metrics_caption": Text("On the later day, with 95% margins", "跨期检验结果（± 为 95% 误差）"),
    "card_weights": Text("Weights", "权重"),
    # privacy
    "card_privacy": Text("Privacy", "隐私保护"),
    "card_privacy_spent": Text(
        "The study that trained and tested this model spent epsilon {person} of the promised {promised} at delta "
        "{delta}, for one person counted on to be a customer at up to {k} of the holders; for a person at every holder "
        "it is {all}. The model, this card and all scores made with it cost nothing more.",
        "训练和检验本模型的分析项目，对至多在 {k} 个持有方有记录的一个人使用了 ε = {person}（承诺上限 {promised}，δ = "
        "{delta}）；若某人在所有持有方都有记录，则为 {all}。模型、本卡以及由模型得出的得分均不再增加花费。",
    ),
    "card_placement_distributed": Text(
        "Every holder added a share of the noise, and masks hid its own sums. The promise holds as long as no more "
        "than {t} of the holders pool what they know to attack.",
        "每个持有方各加入一份噪声，并用掩码隐藏自己的总和。只要合谋攻击的持有方不超过 {t} 个，承诺即成立。",
    ),
    "card_placement_local": Text(
        "Every holder added all the noise to its own sums; the promise does not depend on any other party.",
        "每个持有方都在自己的总和中加入全部噪声；承诺不依赖于任何其他方。",
    ),
    "card_placement_central": Text(
        "The coordinator saw the exact sums and added the noise itself: against the coordinator there is no promise.",
        "协调方看到了精确的总和，再自行加入噪声：对协调方没有任何隐私承诺。",
    ),
    "card_noise_opacus": Text(
        "The noise was exact discrete Gaussian noise; the accountant of Opacus was asked as well.",
        "噪声为精确的离散高斯噪声；同时使用 Opacus 的会计方法核算。",
    ),
    # ethics
    "card_ethics": Text("Ethical considerations", "伦理与合规"),
    "ethics_automated": Text(
        "Automated decisions. A score must not by itself decide anything that has a legal or similarly significant "
        "effect on a person (GDPR Art. 22; PIPL Art. 24). A human who may overrule the score decides, and people can "
        "have the decision explained.",
        "自动化决策。对个人权益有重大影响的决定，不得仅依据得分作出（《个人信息保护法》第 24 条；GDPR 第 22 条）。"
        "应由有权推翻得分的人员作出决定，个人有权要求予以说明。",
    ),
    "ethics_prices": Text(
        "Prices. Scores are not for setting prices or terms by person; PIPL Art. 24 forbids unreasonable differences "
        "in price between customers.",
        "定价。得分不得用于对个人差别定价；《个人信息保护法》第 24 条禁止在交易价格等交易条件上实行不合理的差别待遇。",
    ),
    "ethics_marketing": Text(
        "Marketing. Scoring customers is profiling. People have to be told of it and may object to it for direct "
        "marketing at any time (GDPR Art. 13, 14, 21); marketing must offer a choice that does not rest on personal "
        "characteristics, or an easy way to refuse (PIPL Art. 24). Leave out whoever has objected.",
        "营销。为客户评分属于用户画像，须事先告知；个人可随时拒绝用于直接营销的画像（GDPR 第 13、14、21 条）。"
        "营销应同时提供不针对个人特征的选项，或提供便捷的拒绝方式（《个人信息保护法》第 24 条）。已拒绝者应予排除。",
    ),
    "ethics_assessment": Text(
        "Before use, every holder checks for itself whether an impact assessment is due (GDPR Art. 35; PIPL Art. 55). "
        "The privacy promise is about what others learn; it does not replace a legal basis for scoring.",
        "使用之前，各持有方应自行判断是否需要进行影响评估（《个人信息保护法》第 55 条；GDPR 第 35 条）。"
        "隐私承诺针对的是他方能够获知的内容，不能取代为客户评分所需的法律依据。",
    ),
    "ethics_groups": Text(
        "Purchases can stand in for income, age or health. Look at who is on the list of contacts before acting on it, "
        "and at who is never on it.",
        "购买记录可能间接反映收入、年龄或健康状况。采取行动之前，请检查触达名单上是哪些人，以及哪些人从未入选。",
    ),
    "card_law_note": Text("This is no legal advice.", "以上内容不构成法律意见。"),
    # caveats
    "card_caveats": Text("Caveats and recommendations", "注意事项与建议"),
    "caveat_trust": Text(
        "Masked sums cannot be checked one by one: a holder that cheats, or has wrong data, can spoil the model "
        "unnoticed. Compare the model with simple recency on your own customers before you rely on it.",
        "加了掩码的总和无法逐一核对：作弊或数据有误的持有方可能在不被发现的情况下损害模型。使用之前，请先在自己的客户上与"
        "仅按距上次购买天数的排序作比较。",
    ),
    "caveat_signature": Text(
        "The signature shows who made the file and that nobody changed it, not that the figures are true.",
        "签名只能证明文件由谁生成且未被改动，不能证明数字属实。",
    ),
}

TEXTS: dict[str, Text] = COMMON | CHURN | CARD


def text(key: str, language: Language, **fields: object) -> str:
    """The text for a key, with its fields filled in; see ``say``."""
    return say(TEXTS, key, language, **fields)
