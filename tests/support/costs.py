"""What test modules cost, in one place: the dearest run first, and ``make fast`` leaves the dear ones out.

Sums over each module's tests, setup and teardown included, of a whole run of 30 November 2026: the clock or the CPU,
whichever was more; two processes on two cores, ``make test`` in a fresh clone. Of modules that look at the public data
sets: a run that had them. What has been made cheaper since is that run's figure, less the share that CPU fell by.
"""

from __future__ import annotations

from pathlib import Path

#: From so many seconds on, all tests of a module count as slow.
DEAR = 4

#: Seconds that a module takes, processes that it starts included. Modules that take less than 2.5 are not listed.
#: ``pytest --durations=0`` shows what to change; a list that is out of date costs time, and no test.
SECONDS: dict[str, int] = {
    "test_accounting": 11, "test_accuracy": 10, "test_again": 5, "test_architecture": 3, "test_attacks": 7,
    "test_audit": 3, "test_audit_manipulations": 4, "test_bytes_to_table": 8, "test_central_noise": 4,
    "test_charged_is_what_ran": 4, "test_churn": 18, "test_churn_accuracy": 60, "test_churn_report": 5,
    "test_campaigns": 6, "test_cells": 24,
    "test_cli": 4, "test_cluster_accuracy": 20, "test_cluster_report": 4, "test_cluster_scales": 9,
    "test_clusters": 18, "test_codec": 10, "test_concentration": 3, "test_contract_statistics": 6,
    "test_customer_table": 14,
    "test_damaged_files": 12, "test_empirical_audit": 16, "test_examples": 34, "test_export_formats": 10,
    "test_buying": 5, "test_history_fit": 20, "test_history_runs": 18, "test_purchase_days": 4,
    "test_local_over_flower": 53, "test_local_training": 6, "test_lookalike_runs": 16, "test_becoming": 6,
    "test_feature_scales": 3, "test_feed_policy": 4, "test_feeds": 5, "test_features": 18, "test_feeds_of_several": 34,
    "test_federation_run": 9, "test_first_evening": 35,
    "test_flower_deployment": 39, "test_gateway": 7, "test_gateway_costs": 6, "test_generator": 6, "test_heads": 5,
    "test_holder_churn": 12, "test_holder_clusters": 4, "test_holder_new": 20, "test_holder_new_several": 4,
    "test_holder_report": 14,
    "test_json_and_sqlite": 6, "test_label_targets": 9, "test_labels": 6, "test_languages": 7, "test_ledger": 5,
    "test_listed_shares": 7, "test_meaning": 20, "test_membership_inference": 4, "test_mutants": 9, "test_mysql": 8,
    "test_noise": 7, "test_nothing_impossible": 4, "test_on_end": 5, "test_order_days": 9, "test_packing": 9,
    "test_page_widths": 11,
    "test_possible_figures": 5, "test_postgres_odd": 5, "test_protocol": 19, "test_ranking": 8, "test_recovery": 3,
    "test_removing": 6, "test_report": 18, "test_results_witnessed": 4, "test_schedule": 11, "test_scores": 9,
    "test_second_answers": 4, "test_sensitivity": 10,
    "test_several_sources": 14, "test_source_of_customers": 7,
    "test_served": 147, "test_shares_only": 16, "test_shown": 4,
    "test_sources": 20, "test_spark": 130, "test_spelling": 20, "test_structure": 20, "test_tables_reference": 9,
    "test_tables_runs": 20, "test_three_sources_one_study": 4, "test_transports": 18, "test_ways_to_run": 4,
    "test_workbooks": 10, "test_channels": 4, "test_in_the_wild": 50, "test_merkle": 4, "test_runs_and_clocks": 5,
    "test_person_over_studies": 9, "test_sampler": 8, "test_check_words": 7, "test_losses": 5,
    "test_tags": 24, "test_tag_library": 16, "test_tag_columns": 12, "test_tag_events": 6, "test_tags_page": 25,
    "test_rule_orders": 7, "test_campaign_lists": 6,
    "test_holder_check": 4, "test_any_spelling": 4, "test_line_breaks": 4, "test_evidence_bounds": 4,
}  # fmt: skip


def seconds(path: Path) -> int:
    """What a test module costs."""
    return SECONDS.get(path.stem, 0)
