"""`orchard doctor`: prints the findings of all checks, with remedies."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import click

from jobs.errors import OrchardError
from jobs.load import load_sweep
from jobs.secrets import mask, masked_record
from jobs.spec.sweep import SweepSpec
from orchestrator.commands.mending import end_dead_runs
from orchestrator.doctor import Finding, Verdict, examine
from orchestrator.doctor.facts import ProbeRequest
from orchestrator.doctor.finding import ok
from orchestrator.doctor.uploading import look_at_upload, on_every_machine
from orchestrator.store import open_store
from orchestrator.store.lease import live_leases

_COLOURS = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}


def diagnose(
    sweep: str | None, overrides: Sequence[str], *, address: str | None, working_dir: str, as_json: bool
) -> int:
    """Check everything that a sweep needs; returns 1 if a run would fail, else 0.

    Args:
        sweep: A sweep file; without one, the defaults of `storage`, `tracking` and `device` are checked.
        overrides: Changes to it.
        address: Address of a cluster's dashboard.
        working_dir: The folder that `orchard submit` would upload.
        as_json: Print JSON.
    """
    if sweep:
        spec = load_sweep(sweep, overrides)
        storage, tracking, device = spec.storage, spec.tracking, spec.device
    else:
        storage, tracking, device = (SweepSpec.model_fields[name].default for name in ("storage", "tracking", "device"))
    sent = look_at_upload(working_dir, sweep, overrides) if address else None
    request = ProbeRequest(
        storage=storage,
        tracking=tracking,
        gpus=device != "cpu",
        locations=on_every_machine(sweep, overrides, as_job=bool(address)) if sweep else (),
    )
    findings = examine(request, device=device, address=address, sent=sent)
    if sweep:
        findings += _mended(spec.name, spec.storage)
    if as_json:
        click.echo(json.dumps([masked_record(asdict(finding)) for finding in findings], indent=2))
    else:
        for finding in findings:
            _print(finding)
    return int(any(finding.verdict is Verdict.FAIL for finding in findings))


def _mended(sweep: str, storage: str) -> list[Finding]:
    """What a dead driver of the sweep had left in MLflow; nothing where the store cannot be read, as others say."""
    try:
        store = open_store(storage)
        told = end_dead_runs(sweep, store, alive=any(each.term.sweep == sweep for each in live_leases(store.files)))
    except (OSError, OrchardError):
        return []
    return [ok("dead driver", told)] if told else []


def _print(finding: Finding) -> None:
    verdict = click.style(f"{finding.verdict:<4}", fg=_COLOURS[finding.verdict])
    click.echo(f"{verdict}  {finding.check:<14}  {mask(finding.found)}")
    if finding.remedy:
        click.echo(f"{'':<22}to do: {finding.remedy}")
