"""Every table there is: what migrations are compared with and grants are made from."""

from __future__ import annotations

import importlib
import importlib.util

from sqlmodel import SQLModel

import models.audit
import models.audit_seal
import models.calendar_days
import models.documents
import models.events
import models.exchange.attention
import models.exchange.offered
import models.exchange.ranking
import models.exchange.rounds.tables
import models.exchange.weights
import models.limits
import models.vault

AREAS = ("territory", "people", "identity", "exchange", "activity", "funds", "files", "reports", "privacy")

for area in AREAS:
    if importlib.util.find_spec(f"models.{area}") and importlib.util.find_spec(f"models.{area}.tables"):
        importlib.import_module(f"models.{area}.tables")

METADATA = SQLModel.metadata
__all__ = ["AREAS", "METADATA", "models"]
