"""Plans what is measured of a point besides its metrics: under attack, in 8 bits, its times in several runtimes."""

from dataclasses import replace

from jobs.libraries import ATTACKS_LIBRARY
from jobs.spec.attack import AttackSpec
from jobs.spec.methods import DenseMethod
from jobs.stages.base import ArtifactKey
from jobs.stages.finishing import AttackParams, ExportParams, QuantizeParams, TimedNetwork, TimeParams
from jobs.stages.table import StageKind
from orchestrator.planning.collector import TaskCollector
from orchestrator.planning.networks import add_train_task
from orchestrator.planning.problem import Problem
from orchestrator.planning.protocols import plan_protocol
from orchestrator.planning.trial import Trial


def plan_measurements(
    tasks: TaskCollector, network: ArtifactKey, trial: Trial, protocol: str
) -> tuple[tuple[str, str], ...]:
    """The tasks that measure a network further, as `measure` of the sweep file asks: stage and key.

    Args:
        tasks: Collects the tasks.
        network: The network, after its protocol.
        trial: The trial.
        protocol: The protocol.
    """
    measure, further = tasks.spec.measure, list[tuple[str, str]]()
    if measure.attack:
        attacked = _add_attack_task(tasks, network, trial, tasks.problem_of(trial.model, protocol), measure.attack)
        further.append((StageKind.ATTACK.value, attacked))
    graph = _add_export_task(tasks, network, trial) if measure.needs_onnx else None
    quantized = (
        _add_quantize_task(tasks, graph, trial, tasks.problem_of(trial.model, protocol))
        if graph and measure.quantize
        else None
    )
    if quantized:
        further.append((StageKind.QUANTIZE.value, quantized))
    if measure.latency:
        in_onnx = "onnxruntime" in measure.latency.runtime
        dense = _dense(tasks, trial, protocol)
        params = TimeParams(
            timed=TimedNetwork(
                network=network, graph=graph if in_onnx else None, quantized=quantized if in_onnx else None
            ),
            dense=TimedNetwork(network=dense, graph=_add_export_task(tasks, dense, trial) if in_onnx else None),
            latency=measure.latency.model_copy(
                update={"threads": measure.latency.threads or tasks.resources[StageKind.TIME].threads}
            ),
            onnx=tasks.environment.onnx if in_onnx else None,
        )
        further.append((StageKind.TIME.value, tasks.add(params, trial.label, model=trial.model)))
    return tuple(further)


def _add_attack_task(
    tasks: TaskCollector, network: ArtifactKey, trial: Trial, problem: Problem, attacks: AttackSpec
) -> ArtifactKey:
    params = AttackParams(
        network=network,
        data=problem.data,
        objective=problem.objective,
        split=problem.spec.split,
        batch_size=problem.spec.batch_size,
        attacks=attacks,
        library=tasks.source_of(ATTACKS_LIBRARY) if attacks.needs_library else None,
        seed=trial.seed,
    )
    return tasks.add(params, trial.label, model=trial.model, locations=problem.location)


def _add_export_task(tasks: TaskCollector, network: ArtifactKey, trial: Trial) -> ArtifactKey:
    """The network as an ONNX graph, which its quantisation and its timing share."""
    params = ExportParams(network=network, onnx=tasks.environment.onnx)
    return tasks.once(("export", network), lambda: tasks.add(params, trial.label, model=trial.model))


def _dense(tasks: TaskCollector, trial: Trial, protocol: str) -> ArtifactKey:
    """The dense network that one after a protocol is timed in turn with: a trial of its own, which races no other."""
    methods = tasks.spec.methods.items()
    name = next((name for name, method in methods if isinstance(method, DenseMethod)), "dense")
    network = add_train_task(tasks, trial.model, trial.seed)
    dense = replace(trial, method=name, compression=0.0)
    return plan_protocol(tasks, tasks.spec.control_of(protocol), network, dense)


def _add_quantize_task(tasks: TaskCollector, graph: ArtifactKey, trial: Trial, problem: Problem) -> ArtifactKey:
    quantization = tasks.spec.measure.quantization
    params = QuantizeParams(
        graph=graph,
        quantization=quantization,
        images=problem.images(quantization.images),
        objective=problem.objective,
        num_images=problem.spec.test_images,
        batch_size=problem.spec.batch_size,
        onnx=tasks.environment.onnx,
        seed=trial.seed,
    )
    return tasks.add(params, trial.label, model=trial.model, locations=problem.location)
