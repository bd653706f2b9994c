"""What an analysis may ask a holder to make of its customers before any question: a closed union.

A holder has one builder for each of them (``clients/data/rows``). Each says which rows encoders get (``rows``), what
these always say of a customer in the words of policies (``columns``), and which features and days a question may look
at (``offers``).
"""

from __future__ import annotations

from privacy.kernel.cells import CellRequest
from privacy.kernel.customers import CustomerRequest
from privacy.kernel.feature_request import FeatureRequest

RowRequest = CustomerRequest | FeatureRequest | CellRequest
