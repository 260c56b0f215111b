"""The one table of names: the command line, configurations, documentation and contract tests iterate it.

Entries are strings, "module:attribute", so that nothing heavy is imported until `load` is asked for one. Saved files
hold the names, never the module paths.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mfmarl.errors import UserError


@dataclass(frozen=True)
class Entry:
    """One name's target and what it does, in a line of help."""

    target: str
    """module:attribute"""
    does: str


ALGORITHMS = {
    "mfq": Entry("mfmarl.algorithms.mfq:MFQ", "mean-field Q-learning with Boltzmann policies"),
    "mfac": Entry("mfmarl.algorithms.mfac:MFAC", "mean-field actor-critic; plays continuous actions too"),
    "ppo": Entry("mfmarl.rllib.baselines:BaselineTrainer", "RLlib's own PPO, one policy per agent type: a baseline"),
    "dqn": Entry("mfmarl.rllib.baselines:BaselineTrainer", "RLlib's own DQN, one policy per agent type: a baseline"),
}
METHODS = {
    "is": Entry("mfmarl.algorithms.drift:DriftCorrection", "stored steps are reweighted for the drift of the means"),
    "mf": Entry("mfmarl.algorithms.mfq:MFQ", "stored steps count as they are"),
    "fresh": Entry("mfmarl.algorithms.mfq:MFQ", "mean actions of next values are recomputed from the policies of now"),
    "is+fresh": Entry("mfmarl.algorithms.drift:DriftCorrection", "both: reweighted steps and recomputed mean actions"),
    "mfp": Entry("mfmarl.algorithms.mfq:MFQ", "agents act on a mean action predicted from what they observe"),
    "mfap": Entry("mfmarl.algorithms.mfq:MFQ", "agents act on a mean action predicted from that and the last one"),
    "independent": Entry("mfmarl.algorithms.mfq:MFQ", "independent learners: no mean action at all"),
}
ENV_FAMILIES = {
    "inventory": Entry("envs:make", "stores and retailers that order from a common market"),
    "games": Entry("envs:make", "repeated one-shot games whose answers are known"),
}
IMITATION = {
    "bc": Entry("mfmarl.imitation.bc:BCAgent", "behavioural cloning: what the expert did is learnt by heart"),
    "dagger": Entry("mfmarl.imitation.dagger:DAggerAgent", "the expert labels every state that the learner comes to"),
    "gail": Entry("mfmarl.imitation.gail:GAILAgent", "a policy is paid for not being told from the expert"),
    "airl": Entry("mfmarl.imitation.airl:AIRLAgent", "the same, with a reward that holds by itself"),
    "maxent_irl": Entry(
        "mfmarl.imitation.maxent_agent:MaxEntIRLAgent", "a reward of numbered states, features matched"
    ),
    "mega_dagger": Entry(
        "mfmarl.imitation.mega_dagger.model_based:MEGADAggerAgent", "the expert is asked where world models do not know"
    ),
    "multi_expert": Entry(
        "mfmarl.imitation.mega_dagger.multi_expert:MultiExpertAgent", "several imperfect experts label by weighted vote"
    ),
    "safety_filter": Entry(
        "mfmarl.imitation.mega_dagger.safety_filter:SafetyFilterAgent", "experts take over where it becomes unsafe"
    ),
}
JOBS = {
    "train": Entry("mfmarl.train:train", "one run into a run folder"),
    "evaluate": Entry("mfmarl.evaluate:evaluate", "per-agent episode metrics of a run's policies"),
    "evaluation table": Entry("mfmarl.evaluate:return_table", "mean return of every policy by type, as text"),
    "report caveats": Entry("analysis.report:caveats", "what a comparison of runs cannot say"),
    "report": Entry("analysis.report:write_report", "a comparison of runs as one HTML page"),
    "study report": Entry("analysis.report:write_study", "a page over all games of a study, and one of each"),
    "imitation folders": Entry("analysis.imitations:imitations_in", "those among some folders, and below them"),
    "imitation report": Entry("analysis.report.imitation.page:write_imitations", "a page over methods that imitate"),
    "references": Entry("mfmarl.references:tabulate", "what the reference policies are worth on an environment"),
    "references table": Entry("mfmarl.reference_table:show", "that, printed and as CSV"),
    "bounds": Entry("analysis.bounds:tabulate", "bounds, simulated errors and ESS of the drift corrections"),
    "bounds table": Entry("analysis.bounds:show", "that, printed"),
    "bounds files": Entry("analysis.bounds:write", "that, as CSV and figure"),
    "audit": Entry("analysis.equilibrium.audit:audit", "gaps of a run's policies by every way there is"),
    "audit settings": Entry("analysis.equilibrium.audit_settings:Settings", "what an audit is asked for"),
    "audit table": Entry("analysis.equilibrium.audit_table:show", "an audit, printed"),
    "imitation audit": Entry("analysis.audit_imitations:audit_imitations", "gaps of imitators beside their expert's"),
    "imitation audit table": Entry("analysis.audit_imitations:show", "that, printed"),
    "study": Entry("mfmarl.launch.study:read_study", "a study file, and the cells of its grid"),
    "study sizes": Entry("mfmarl.launch.games:agent_steps", "agent steps of every cell, which is checked"),
    "study run": Entry("mfmarl.launch.drive:drive", "what is not done of a study"),
    "study on Ray": Entry("mfmarl.rllib.cell_pool:RayPool", "cells as tasks of a Ray cluster"),
    "job server": Entry("mfmarl.rllib.job_server:JobServer", "where a cluster takes jobs"),
    "search": Entry("mfmarl.launch.search_config:read_search", "a search file: settings that are tried"),
    "search game": Entry("mfmarl.launch.search_game:check_game", "whether its game can be played, and has the metric"),
    "search trials": Entry("mfmarl.launch.trials:found_trials", "the trials that its folder has"),
    "search run": Entry("mfmarl.launch.search:SearchDriver", "what is left of a search"),
    "search sampler": Entry("mfmarl.rllib.sampler:OptunaSampler", "points by Ray Tune's OptunaSearch"),
    "cluster": Entry("mfmarl.launch.cluster_config:read_cluster", "a cluster file: where studies run"),
    "kuberay manifest": Entry("mfmarl.launch.kuberay:render", "a study as a RayJob of Kubernetes"),
    "kuberay check": Entry("mfmarl.launch.kuberay:validate", "a RayJob, checked field by field"),
    "kuberay place": Entry("mfmarl.launch.kuberay:place", "a RayJob handed to kubectl"),
    "slurm manifest": Entry("mfmarl.launch.slurm:render", "a study as a Slurm script"),
    "slurm check": Entry("mfmarl.launch.slurm:validate", "a Slurm script, checked"),
    "slurm place": Entry("mfmarl.launch.slurm:place", "a Slurm script handed to sbatch"),
    "ray-up manifest": Entry("mfmarl.launch.ray_up:render", "a cluster file of `ray up`"),
    "ray-up check": Entry("mfmarl.launch.ray_up:validate", "that, checked"),
    "ray-up commands": Entry("mfmarl.launch.ray_up:commands", "what to give by hand to make that cluster and use it"),
    "ray-up schema": Entry("mfmarl.rllib.cluster_schema:check_cluster_file", "what Ray says of a file of `ray up`"),
    "problem": Entry("mfmarl.solvers.problem:problem_of", "a mean-field game and a solver with their settings"),
    "solve": Entry("mfmarl.solve:solve_into", "an equilibrium of a mean-field game into a folder"),
    "solution": Entry("mfmarl.solvers.saved:read_solution", "a solution that solving goes on from"),
    "imitate": Entry("mfmarl.imitation.run:imitate", "an imitation into a folder"),
    "imitation folder": Entry("mfmarl.imitation.run:begin", "the folder of an imitation that has not begun"),
    "imitation asked": Entry("mfmarl.imitation.asked:env_asked", "where an imitation is, when what is given fits"),
    "imitation place": Entry("mfmarl.imitation.asked:check_free", "whether an imitation can begin in a folder"),
    "imitation env": Entry("mfmarl.imitation.asked:check_env", "whether an environment is known"),
    "imitation settings": Entry("mfmarl.imitation.settings_table:settings_table", "a method's settings, as a table"),
    "imitations told": Entry("mfmarl.imitation.over_seeds:told_of", "what imitations return over seeds, in a line"),
    "imitation plan": Entry("mfmarl.imitation.plan:plan_of", "what an imitation is to do, checked"),
    "imitations begun": Entry("mfmarl.imitation.folder:imitations_in", "the imitations that a folder holds"),
    "magail market": Entry("analysis.magail_market:study", "MAGAIL of a profile of the market, audited"),
    "coordination settings": Entry(
        "mfmarl.imitation.magail.coordination_settings:CoordinationSettings", "what MAGAIL's coordination study is of"
    ),
    "coordination standing": Entry("analysis.magail_results:standing", "what a folder has of such a study"),
    "coordination study": Entry("analysis.magail_coordination:study_into", "such a study in a folder, with figures"),
    "coordination table": Entry("analysis.magail_table:show", "such a study, printed"),
    "coordination files": Entry("analysis.magail_results:files_of", "all that such a folder has"),
    "zero-sum settings": Entry(
        "mfmarl.imitation.magail.zero_sum_settings:ZeroSumSettings", "what MAGAIL's zero-sum study is of"
    ),
    "zero-sum standing": Entry("analysis.magail_zero_sum_table:standing", "what a folder has of such a study"),
    "zero-sum study": Entry("analysis.magail_zero_sum:study_into", "such a study in a folder, with figures"),
    "zero-sum table": Entry("analysis.magail_zero_sum_table:show", "such a study, printed"),
    "zero-sum files": Entry("analysis.magail_zero_sum_table:files_of", "all that such a folder has"),
    "screen": Entry("analysis.figures.windows:check_screen", "whether windows can be opened"),
    "windows": Entry("analysis.figures.windows:open_windows", "pictures in windows"),
    "demonstrate": Entry("mfmarl.imitation.recording:demonstrate", "episodes of an expert as demonstrations"),
    "store demonstrations": Entry("mfmarl.imitation.recording:store", "demonstrations as npz and Minari data sets"),
    "episodes told": Entry("mfmarl.imitation.judging:returns_told", "returns, lengths and ends of episodes in a line"),
    "interval": Entry("analysis.statistics:interval", "a mean with its 95 % interval"),
    "solution files": Entry("analysis.solution:write", "convergence, flow and audit of a solution"),
    "export": Entry("mfmarl.export:export", "a run's policies as safetensors or ONNX"),
    "check": Entry("envs.check:check", "whole-horizon checks of an environment"),
    "env names": Entry("envs:names", "every environment that can be made"),
    "env": Entry("envs:make", "a population environment by its name"),
}


def load(table: dict[str, Entry], name: str) -> Any:
    """What `name` stands for in `table`, imported now.

    Raises:
        UserError: where the table has no such name; suggests the nearest.
    """
    if name not in table:
        raise UserError(f"unknown name {name!r}{suggestion(name, table)}; there are {', '.join(table)}")
    module, attribute = table[name].target.split(":")
    return getattr(importlib.import_module(module), attribute)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that was most likely meant, or None where nothing comes close."""
    by_lower = {n.lower(): n for n in names}
    found = difflib.get_close_matches(name.lower().replace("-", "_"), by_lower, n=1, cutoff=0.6)
    found = found or difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def suggestion(name: str, names: Iterable[str]) -> str:
    """ "; did you mean X?" or nothing, to end a message with."""
    found = nearest(name, names)
    return f"; did you mean {found!r}?" if found else ""
