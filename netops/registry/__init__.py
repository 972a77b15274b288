"""Models of a network as versions in MLRun's registry: which of them serves, and why.

``candidate → proven → champion → retired``, or ``rejected`` (see :mod:`netops.registry.ledger`).
"""

from netops.registry.ledger import CANDIDATE, CHAMPION, PROVEN, REJECTED, RETIRED
from netops.registry.model import CHAMPION_TAG, SHADOW_TAG, Model, log_model, model_key
from netops.registry.transitions import (
    Outcome,
    ProofError,
    cancel_run,
    check,
    end_shadow,
    promote,
    promote_by_hand,
    prove,
    put_in_service,
    put_in_shadow,
    reject,
    resume_run,
    rollback,
)
from netops.registry.versions import champion, find, history, in_use, shadow, the_champion, versions

__all__ = [
    "CANDIDATE",
    "CHAMPION",
    "CHAMPION_TAG",
    "PROVEN",
    "REJECTED",
    "RETIRED",
    "SHADOW_TAG",
    "Model",
    "Outcome",
    "ProofError",
    "cancel_run",
    "champion",
    "check",
    "end_shadow",
    "find",
    "history",
    "in_use",
    "log_model",
    "model_key",
    "promote",
    "promote_by_hand",
    "prove",
    "put_in_service",
    "put_in_shadow",
    "reject",
    "resume_run",
    "rollback",
    "shadow",
    "the_champion",
    "versions",
]
