"""Suite and data to a plan: rows, cells, fits, what each needs, and exclusions with reasons."""

from skinbench.plan.elsewhere import learnt_space
from skinbench.plan.fits import PLAIN_MODELS, fit_id
from skinbench.plan.graph import cost, spec_key
from skinbench.plan.planner import Planned, make_plan
from skinbench.plan.searching import read_search, trial_spec
from skinbench.plan.sources import decided_pairs, join_lesions, read_manifests, split_and_audit

__all__ = [
    "PLAIN_MODELS",
    "Planned",
    "cost",
    "decided_pairs",
    "fit_id",
    "join_lesions",
    "learnt_space",
    "make_plan",
    "read_manifests",
    "read_search",
    "spec_key",
    "split_and_audit",
    "trial_spec",
]
