"""City-wide rounds: from arrays of needs, providers and windows to who goes to whom. Pure; see docs/matching.md."""

from models.exchange.matching.assignment import Assignment, Cancelled, Figures, Progress, Reason, Stage
from models.exchange.matching.figures import figures, terms, terms_of, why_open
from models.exchange.matching.instance import Bounds, Busy, Instance, Needs, Providers, Weights, Windows
from models.exchange.matching.solver import greedy, solve

__all__ = [
    "Assignment",
    "Bounds",
    "Busy",
    "Cancelled",
    "Figures",
    "Instance",
    "Needs",
    "Progress",
    "Providers",
    "Reason",
    "Stage",
    "Weights",
    "Windows",
    "figures",
    "greedy",
    "solve",
    "terms",
    "terms_of",
    "why_open",
]
