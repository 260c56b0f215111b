"""The market with infinitely many agents, exactly: values, best responses, equilibrium, planner."""

from envs.inventory.mean_field.best_response import BestResponse, NashConv, best_response, nash_conv
from envs.inventory.mean_field.equilibrium import Solution, equilibrium
from envs.inventory.mean_field.field import Path
from envs.inventory.mean_field.finite import finite_population_term
from envs.inventory.mean_field.flow import Evaluation, Flow, Profile, evaluate
from envs.inventory.mean_field.mirror_descent import mirror_descent
from envs.inventory.mean_field.model import MeanFieldMarket, mean_field
from envs.inventory.mean_field.observer import Observer
from envs.inventory.mean_field.observing import Observed, observed_in_time, observed_profile
from envs.inventory.mean_field.own_weight import finite_gaps, split
from envs.inventory.mean_field.planner import Plan, planner
from envs.inventory.mean_field.play import profile_policy
from envs.inventory.mean_field.process import TypeModel
from envs.inventory.mean_field.profiles import (
    base_stock_profile,
    constant_profile,
    random_profile,
    s_S_profile,
)
from envs.inventory.mean_field.tuned import Tuned, common_tuned, nash_tuned, population_tuned, reorder_tuned

__all__ = [
    "BestResponse",
    "Evaluation",
    "Flow",
    "MeanFieldMarket",
    "NashConv",
    "Observed",
    "Observer",
    "Path",
    "Plan",
    "Profile",
    "Solution",
    "Tuned",
    "TypeModel",
    "base_stock_profile",
    "best_response",
    "common_tuned",
    "constant_profile",
    "equilibrium",
    "evaluate",
    "finite_gaps",
    "finite_population_term",
    "mean_field",
    "mirror_descent",
    "nash_conv",
    "nash_tuned",
    "observed_in_time",
    "observed_profile",
    "planner",
    "population_tuned",
    "profile_policy",
    "random_profile",
    "reorder_tuned",
    "s_S_profile",
    "split",
]
