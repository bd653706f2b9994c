"""What test modules cost, in one place: the dearest run first, and ``make fast`` leaves the dear ones out.

Measured figures are sums of the 70 longest tests (all of some five seconds or more) in a whole run of 29 November
2026: 1,169 seconds, two processes on two cores, ``pytest -n 2 --durations=70``, without the public data sets;
``test_order_days``, which is newer, ran by itself.
"""

from __future__ import annotations

from pathlib import Path

#: From so many seconds on, all tests of a module count as slow.
DEAR = 5

#: Seconds that a module takes, processes that it starts included. Modules that take less than 4 are not listed.
#: ``pytest --durations=0`` shows what to change; a list that is out of date costs time, and no test.
SECONDS: dict[str, int] = {
    # Measured: what a module's longest tests took on the clock, together.
    "test_first_evening": 34, "test_flower_deployment": 60, "test_gateway": 7, "test_holder_churn": 41,
    "test_holder_clusters": 18, "test_languages": 22, "test_membership_inference": 12, "test_order_days": 17,
    "test_ranking": 11, "test_removing": 22, "test_sampler": 12, "test_schedule": 23, "test_served": 219,
    "test_shares_only": 73, "test_ways_to_run": 7,
    "test_monthly_scores": 6, "test_on_end": 7, "test_nothing_impossible": 7, "test_page_widths": 22, "test_shown": 12,
    # Estimated: of these, that run listed only some tests, or none that takes five seconds.
    "test_accounting": 40, "test_accuracy": 15, "test_again": 8, "test_architecture": 12, "test_attacks": 18,
    "test_audit": 11, "test_audit_cli": 6, "test_audit_manipulations": 17, "test_bytes_to_table": 27,
    "test_central_noise": 15, "test_charged_is_what_ran": 20, "test_check_words": 20, "test_churn": 86,
    "test_churn_accuracy": 91, "test_churn_report": 23, "test_cluster_accuracy": 75, "test_cluster_labels": 4,
    "test_cluster_report": 21, "test_cluster_scales": 22, "test_clusters": 62, "test_codec": 71, "test_colours": 12,
    "test_contract_statistics": 72, "test_customer_table": 63, "test_discounts": 7, "test_empirical_audit": 100,
    "test_evidence_bounds": 7, "test_examples": 100, "test_feature_scales": 5, "test_features": 50,
    "test_federation_run": 40, "test_forget": 8, "test_gateway_costs": 20, "test_generator": 13, "test_heads": 22,
    "test_holder_check": 9, "test_holder_new": 18, "test_holder_report": 50, "test_label_targets": 30,
    "test_labels": 25, "test_ledger": 30, "test_listed_shares": 13, "test_losses": 8, "test_membership_commands": 7,
    "test_model_file": 10, "test_mutants": 50, "test_network_engine": 15, "test_noise": 20,
    "test_person_over_studies": 20, "test_policy": 4, "test_protocol": 60, "test_recovery": 12,
    "test_reference_online_retail": 5, "test_report": 40, "test_repurchase_runs": 16, "test_results_witnessed": 15,
    "test_runs_and_clocks": 7, "test_scores": 25, "test_segments": 4, "test_sensitivity": 50, "test_sources": 30,
    "test_second_answers": 19, "test_three_sources_one_study": 40, "test_transports": 60,
}  # fmt: skip


def seconds(path: Path) -> int:
    """What a test module costs."""
    return SECONDS.get(path.stem, 0)
