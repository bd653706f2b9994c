"""Texts of the churn section and of the model card, in English and Chinese, side by side.

Plain text only; fields in braces are filled by ``server.report.texts.text``. Markup belongs to the templates.
"""

from __future__ import annotations

from privacy.presentation.texts import Text

CHURN: dict[str, Text] = {
    "title_churn": Text("Customer churn report", "客户流失预测报告"),
    "churn": Text("Customers likely to leave", "流失预测"),
    # questions
    "question_size_and_centre": Text("training: number of customers and means", "训练：客户数与均值"),
    "question_moments": Text("training: spread and start", "训练：离散度与初始值"),
    "question_evaluation": Text("test: scores by outcome", "检验：按结果统计得分"),
    "question_evaluation_by_holder": Text("test: scores by outcome, by holder", "检验：各持有方按结果统计得分"),
    "question_training": Text("training: step {number} of {rounds}", "训练：第 {number} 步，共 {rounds} 步"),
    # headline
    "churn_finding_top": Text(
        "Of the tenth of customers with the highest scores, {top} bought nothing in the next {days} days; of all "
        "customers, {all}.",
        "在得分最高的 10% 客户中，{top}在随后 {days} 天内没有购买；全部客户中为 {all}。",
    ),
    "churn_finding_better": Text(
        "The model ranks customers better than the days since the last purchase do: AUC {auc} against {recency}.",
        "模型的排序优于仅按距上次购买天数排序：AUC 为 {auc}，后者为 {recency}。",
    ),
    "churn_finding_tie": Text(
        "Whether it ranks customers better than the days since the last purchase do cannot be told within the margins: "
        "AUC {auc} against {recency}.",
        "在误差范围内，无法判断模型的排序是否优于仅按距上次购买天数排序：AUC 为 {auc}，后者为 {recency}。",
    ),
    "churn_finding_worse": Text(
        "The model ranks customers worse than the days since the last purchase do: AUC {auc} against {recency}. Do not "
        "use it.",
        "模型的排序不如仅按距上次购买天数排序：AUC 为 {auc}，后者为 {recency}。不建议使用。",
    ),
    "churn_finding_alone": Text("The model's AUC is {auc}.", "模型的 AUC 为 {auc}。"),
    "churn_finding_coin": Text(
        "Within the margin, that is no better than drawing lots (0.5).",
        "在误差范围内，这并不优于随机排序（0.5）。",
    ),
    "churn_margin_note": Text(
        "For the churn model, the figure after ± is the half-width of a 95% interval from the noise that protects "
        "persons and from chance together: other customers of the same kind would have given other figures.",
        "流失模型的 ± 为 95% 区间的半宽，同时反映为保护个人而加入的噪声和抽样偶然性：换一批同类客户，数字也会不同。",
    ),
    "missing_note_churn": Text(
        "Left out from then on: {holders}. The model learnt from its customers only up to the question at which the "
        "holder left.",
        "中途退出：{holders}。模型只用到了该持有方退出之前各次提问所含的客户。",
    ),
    "missing_note_churn_many": Text(
        "Left out from then on: {holders}. The model learnt from their customers only up to the question at which each "
        "holder left.",
        "中途退出：{holders}。模型只用到了这些持有方各自退出之前的提问所含的客户。",
    ),
    "card_auc": Text("AUC, out of time", "AUC（跨期检验）"),
    "card_top_share": Text("Churned customers found in the top tenth", "前 10% 客户覆盖的流失客户"),
    "card_churn_rate": Text("Churned within {days} days", "{days} 天流失率"),
    # what is predicted
    "churn_lead": Text(
        "One model for all holders. It was trained on one time and tested on a later one, so the figures say how well "
        "it would have done in use.",
        "所有持有方共用一个模型。模型用较早的时期训练、用较晚的时期检验，因此以下数字反映其实际使用时的效果。",
    ),
    "churn_outcome": Text("Predicted", "预测目标"),
    "churn_outcome_is": Text(
        "no purchase in the {days} days from a cutoff day on",
        "自截止日起 {days} 天内没有购买",
    ),
    "churn_who": Text("Customers", "适用客户"),
    "churn_who_is": Text(
        "with a purchase in the {days} days before the cutoff; those who stayed away longer count as lost already",
        "截止日前 {days} 天内有过购买；更久未购买的客户视为已经流失，不再预测",
    ),
    "churn_trained": Text("Trained on", "训练"),
    "churn_trained_is": Text(
        "cutoff {cutoffs}: purchases before it, and whether one followed in the next {days} days",
        "截止日 {cutoffs}：使用此前的购买记录，以及其后 {days} 天内是否再次购买",
    ),
    "churn_tested": Text("Tested on", "检验"),
    "churn_tested_is": Text(
        "cutoff {day}, with what was bought until {end}: later than everything the model learnt from",
        "截止日 {day}，以截至 {end} 的购买情况为准：晚于模型学习所用的全部数据",
    ),
    "churn_scored": Text("Used on", "使用"),
    "churn_scored_is": Text(
        "cutoff {day}: every holder scores its own customers; what they do next is not known yet",
        "截止日 {day}：各持有方为自己的客户评分；这些客户之后的行为尚未可知",
    ),
    "churn_customers": Text("Customers in the test", "检验客户数"),
    "churn_customers_is": Text("{count} records, of which {rate} churned", "{count}条记录，其中 {rate}流失"),
    "churn_model": Text("Model", "模型"),
    "family_logistic": Text("logistic regression over {features} features", "逻辑回归，{features} 个特征"),
    "family_network": Text(
        "small neural network ({units} hidden units) beside a linear path, over {features} features",
        "小型神经网络（{units} 个隐藏单元）与线性路径并行，{features} 个特征",
    ),
    # quality
    "churn_quality": Text("How good it is", "模型效果"),
    "quality_caption": Text("Quality on the later day", "跨期检验的效果"),
    "quality_by_holder_caption": Text("Quality of the model at each holder", "模型在各持有方的效果"),
    "quality_who": Text("Ranked by", "排序依据"),
    "quality_holder": Text("Data holder", "数据持有方"),
    "quality_model": Text("the model", "模型"),
    "quality_recency_days": Text("days since last purchase alone", "仅按距上次购买天数"),
    "quality_auc": Text("AUC", "AUC（曲线下面积）"),
    "quality_average_precision": Text("Average precision", "平均精确率（AP）"),
    "quality_top_lift": Text("Lift, top tenth", "前 10% 提升度"),
    "quality_top_share": Text("Churned in the top tenth, % of all churned", "前 10% 覆盖的流失客户（%）"),
    "quality_churn_rate": Text("Churn rate, %", "流失率（%）"),
    "note_auc": Text(
        "AUC: of one churned customer and one who bought again, how often the churned one has the higher score. 0.5 is "
        "drawing lots, 1 is never wrong.",
        "AUC：任取一个流失客户和一个再次购买的客户，流失客户得分更高的概率。0.5 等同于随机，1 为完全正确。",
    ),
    "note_average_precision": Text(
        "Average precision: share of churned customers on the contact list, averaged over all lengths of the list. "
        "Drawing lots gives the churn rate, {rate}.",
        "平均精确率：触达名单中流失客户的占比，按名单的各种长度取平均。随机抽取时等于流失率，即 {rate}。",
    ),
    "note_lift": Text(
        "Lift: churn rate among the tenth of customers with the highest scores, divided by that of all. Drawing lots "
        "gives 1 and finds 10% of the churned; with this churn rate no model can exceed {lift} and {share}%.",
        "提升度：得分最高的 10% 客户的流失率与全部客户流失率之比。随机抽取时为 1，覆盖 10% 的流失客户；在此流失率下，"
        "任何模型都不可能超过 {lift} 和 {share}%。",
    ),
    "note_by_holder": Text(
        "These are each holder's own figures, released with noise by a question of their own that every holder allows "
        "in its policy. A holder is left out where the noise hides its figures.",
        "以下为各持有方自身的数字，由一次单独的提问公布（含噪声），并经各持有方的策略许可。若某一持有方的数字被噪声淹没，"
        "则不列出。",
    ),
    "note_recency": Text(
        "Recency alone has a smaller part of the budget, so its margins are wider.",
        "仅按距上次购买天数一行分得的预算较少，因此误差较大。",
    ),
    # pictures
    "churn_calibration": Text("Do the probabilities hold?", "概率是否可信"),
    "picture_calibration": Text(
        "Predicted probability against the share that churned, in groups of customers by score. Vertical lines: 95% "
        "intervals. On the dashed line both agree.",
        "按得分分组：预测概率与实际流失占比。竖线为 95% 区间；落在虚线上表示两者一致。",
    ),
    "axis_predicted": Text("predicted probability, %", "预测概率（%）"),
    "axis_observed": Text("churned, %", "实际流失占比（%）"),
    "churn_lift": Text("Where the churned customers are", "流失客户的分布"),
    "picture_lift": Text(
        "Share that churned, in groups of customers from the highest score to the lowest; a bar is as wide as its "
        "group. Black lines: 95% intervals. Dashed line: all customers.",
        "从高分到低分各组客户的实际流失占比；柱宽表示该组的客户占比。黑线为 95% 区间；虚线为全部客户。",
    ),
    "axis_reached": Text("share of customers, highest scores first, %", "客户占比（%，按得分从高到低）"),
    "lift_all": Text("all", "全部"),
    "calibration_high": Text(
        "On average the model says {predicted}% and {observed} churned: it predicts too much churn for this day. Use "
        "scores to rank, and adjust probabilities by that before budgets rest on them.",
        "模型的平均预测为 {predicted}%，实际流失 {observed}：对检验日的流失预测偏高。得分可用于排序；以概率编制预算之前"
        "请先按此修正。",
    ),
    "calibration_low": Text(
        "On average the model says {predicted}% and {observed} churned: it predicts too little churn for this day. Use "
        "scores to rank, and adjust probabilities by that before budgets rest on them.",
        "模型的平均预测为 {predicted}%，实际流失 {observed}：对检验日的流失预测偏低。得分可用于排序；以概率编制预算之前"
        "请先按此修正。",
    ),
    "calibration_good": Text(
        "On average the model says {predicted}% and {observed} churned: within the margin they agree.",
        "模型的平均预测为 {predicted}%，实际流失 {observed}：在误差范围内一致。",
    ),
    "calibration_none": Text(
        "No group of customers stands out from the noise, so there is no picture of calibration.",
        "没有任何客户组能与噪声区分，因此不展示校准图。",
    ),
    "calibration_below_zero": Text(
        "Noise can push a group's share below 0% or above 100%; it is shown as it was released.",
        "噪声可能使某组的占比低于 0% 或高于 100%，此处按公布值展示。",
    ),
    # features
    "churn_features": Text("What the score is made of", "得分的构成"),
    "picture_features": Text(
        "Weight of each feature on its scale from -1 (lowest) to 1 (highest), in units of the log odds of churn. Light "
        "bars to the left lower the score, dark bars to the right raise it.",
        "各特征的权重（特征按 -1 至 1 标准化，单位为流失对数几率）。向左的浅色柱降低得分，向右的深色柱提高得分。",
    ),
    "weight_lowers": Text("lowers the score", "降低得分"),
    "weight_raises": Text("raises the score", "提高得分"),
    "features_direct": Text(
        "Shown is the network's linear path only. Its hidden units add what depends on several features at once; that "
        "part is not in the picture.",
        "图中仅为神经网络的线性路径。隐藏单元另外反映多个特征的共同作用，该部分不在图中。",
    ),
    "features_together": Text(
        "Read weights together, not one by one: features that tell much the same (orders of the last 180 and 365 days, "
        "say) share their effect, and may stand against each other. A weight is not a cause.",
        "权重应整体解读，而非逐个解读：含义相近的特征（例如近180天与近365天订单数）会分担影响，甚至方向相反。权重不代"
        "表因果。",
    ),
    "features_noise": Text(
        "Weights carry the noise of the training; a run with new noise would give somewhat other ones.",
        "权重含有训练过程的噪声；若以新的噪声重新运行，权重会有所不同。",
    ),
    # training
    "churn_training": Text("How the training went", "训练过程"),
    "training_caption": Text("Steps after the least-squares start", "最小二乘初始值之后的各步"),
    "training_step": Text("Step", "步骤"),
    "training_length": Text("Length of the step", "步长"),
    "training_shrinks": Text(
        "Each step is as long as the noisy gradient asks for; the last is {share}% of the first. The log odds of a "
        "typical customer move by about a step's length.",
        "每一步的长度由含噪梯度决定；最后一步为第一步的 {share}%。一步大致使典型客户的对数几率变动同样的幅度。",
    ),
    "training_one": Text(
        "The step is as long as the noisy gradient asks for. The log odds of a typical customer move by about its "
        "length.",
        "步长由含噪梯度决定，大致使典型客户的对数几率变动同样的幅度。",
    ),
    "training_loss": Text(
        "There is no loss by step: it would have to be paid for from the same budget. The test says more.",
        "不提供各步的损失值：那需要占用同一份预算，而检验结果更能说明问题。",
    ),
    # limits
    "churn_limits": Text("What these figures can and cannot say", "这些数字能说明什么、不能说明什么"),
    "limit_correlation": Text(
        "The figures say who is likely to leave, not why, and not who will stay if contacted. Only a trial with a "
        "group that is left alone shows what contacting does.",
        "这些数字说明谁可能流失，但不说明原因，也不说明联系谁就能留住谁。只有设置不触达的对照组，才能看出触达的效果。",
    ),
    "limit_drift": Text(
        "The figures are of the day of the test. Season, prices or a campaign since then change who leaves; test again "
        "at least once every {days} days.",
        "这些数字对应检验日。此后的季节、价格或营销活动都会改变流失情况；建议至少每 {days} 天重新检验一次。",
    ),
    "limit_margins": Text(
        "Margins cover the privacy noise and chance, not drift, and not wrong or missing rows at a holder. Of 20 "
        "figures, about one lies outside its margin.",
        "± 反映隐私噪声与偶然性，不反映时间变化，也不反映持有方数据中的错误或缺失。平均每 20 个数字中约有一个超出其误"
        "差范围。",
    ),
    "limit_records": Text(
        "A person who is a customer at two holders is two records: bought again at one, churned at the other is "
        "possible.",
        "同一个人若是两个持有方的客户，则为两条记录：可能在一方再次购买，而在另一方流失。",
    ),
    "limit_people": Text(
        "A score is no verdict on a person. Decisions with a legal or similarly significant effect must not rest on it "
        "alone (GDPR Art. 22, PIPL Art. 24); the model card says more.",
        "得分不是对个人的定论。对个人权益有重大影响的决定不得仅依据得分作出（GDPR 第 22 条、《个人信息保护法》第 24 "
        "条）；详见模型卡。",
    ),
}
