"""Plans the network of a method, before any protocol."""

from dataclasses import replace

from jobs.spec.allocation import AllocationSpec, GuidedAllocation
from jobs.spec.criterion import CriterionMethod
from jobs.spec.fold import FoldMethod
from jobs.spec.integral import IntegralMethod
from jobs.spec.methods import BicubicMethod, DenseMethod
from jobs.spec.reconstruction import ReconstructionMethod
from jobs.spec.unstructured import UnstructuredMethod
from jobs.stages.base import ArtifactKey
from jobs.stages.common import DesignInput, FollowedDesigns, PlannedAllocation
from orchestrator.planning.collector import TaskCollector
from orchestrator.planning.criterion import plan_criterion
from orchestrator.planning.fold import plan_fold
from orchestrator.planning.integral import plan_integral
from orchestrator.planning.networks import add_bicubic_task, add_train_task, dense_of
from orchestrator.planning.reconstruction import plan_reconstruction
from orchestrator.planning.trial import Trial
from orchestrator.planning.unstructured import plan_unstructured


def plan_method(tasks: TaskCollector, trial: Trial) -> ArtifactKey:
    """The task whose artifact is the network after a method, before any protocol."""
    match tasks.spec.methods[trial.method]:
        case DenseMethod():
            return add_train_task(tasks, trial.model, trial.seed)
        case BicubicMethod():
            return add_bicubic_task(tasks, trial.model)
        case CriterionMethod() as spec:
            return plan_criterion(tasks, spec, _plan_allocation(tasks, spec.allocation, trial), trial)
        case ReconstructionMethod() as spec:
            return plan_reconstruction(tasks, spec, _plan_allocation(tasks, spec.allocation, trial), trial)
        case IntegralMethod() as spec:
            return plan_integral(tasks, spec, _plan_allocation(tasks, spec.allocation, trial), trial)
        case FoldMethod() as spec:
            return plan_fold(tasks, spec, _plan_allocation(tasks, spec.allocation, trial), trial)
        case UnstructuredMethod() as spec:
            return plan_unstructured(tasks, spec, trial)


def _plan_allocation(tasks: TaskCollector, allocation: AllocationSpec, trial: Trial) -> PlannedAllocation:
    """The allocation as a task parameter; a guided one is resolved to another method's networks of all seeds."""
    if not isinstance(allocation, GuidedAllocation):
        return allocation
    guide = replace(trial, model=allocation.model or trial.model, method=allocation.method)
    networks = [plan_method(tasks, replace(guide, seed=seed)) for seed in tasks.seeds]
    return FollowedDesigns(
        designs=tuple(DesignInput(network=network, channels=dense_of(tasks, network)) for network in networks)
    )
