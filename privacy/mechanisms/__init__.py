"""The catalogue of mechanisms: how noise is planned, shared out, drawn and priced."""

from __future__ import annotations

from privacy.mechanisms.gaussian import MIN_SHARE_SCALE, PLACEMENTS, Placement, SumMechanism, calibrate

__all__ = ["MIN_SHARE_SCALE", "PLACEMENTS", "Placement", "SumMechanism", "calibrate"]
