"""Every method and every protocol on one network with a layer of every kind: nothing fails."""

import pytest

from jobs import names
from orchestrator.commands import running

NORMS_NEEDED = {"batchnorm-scale"}  # behind every layer; it says so of others
TRAIN = {"epochs": 1, "batch_size": 16}
PROTOCOLS = {
    "recalibrated": {"kind": "recalibrate"},
    "repaired": {"kind": "repair", "images": 16},
    "fine-tuned": {"kind": "fine-tune", "train": TRAIN},
    "repaired-and-tuned": {"kind": "fine-tune", "after": "repaired", "train": TRAIN},
    "all-three": {"kind": "recalibrate", "after": "repaired-and-tuned"},
    "from-scratch": {"kind": "scratch"},
    "rewound": {"kind": "rewind", "what": "weights", "epoch": 1},
    "relearned": {"kind": "rewind", "what": "learning-rate", "epoch": 1},
}
AFTER_ALL = ["none", "fine-tuned", "from-scratch"]
AFTER_CHANNELS = [*AFTER_ALL, "recalibrated", "repaired"]
METHODS = {
    **{name: {"kind": "criterion", "criterion": name} for name in names.CRITERIA.keys() - NORMS_NEEDED - {"l1"}},
    "l1": {"kind": "criterion", "criterion": "l1", "protocols": list(PROTOCOLS)},
    "in-rounds": {"kind": "criterion", "criterion": "l2", "rounds": 2, "train": TRAIN},
    **{
        how: {"kind": "reconstruction", "how": how, "images": 16, "protocols": AFTER_CHANNELS}
        for how in ("thinet", "lasso")
    },
    "integral": {"kind": "integral", "batchnorm": "keep", "protocols": AFTER_CHANNELS},
    "integral-folded": {
        "kind": "integral",
        "repair": "variance",
        "quadrature": "means",
        "allocation": "spectrum",
        "protocols": ["none", "all-three"],  # its norms are folded, and come back
    },
    "integral-tuned": {"kind": "integral", "tune": {"steps": 2, "samples": 16, "holdout": 8}},
    "integral-trained": {"kind": "integral", "batchnorm": "keep", "train": TRAIN},
    "fold": {"kind": "fold", "batchnorm": "keep", "protocols": AFTER_CHANNELS},
    "fold-data": {"kind": "fold", "clustering": "kmeans", "repair": "data", "repair_images": 8},
    "best-score": {"kind": "criterion", "criterion": "l1", "allocation": {"kind": "best-score", "multiple": 1}},
    "unstructured": {"kind": "unstructured", "protocols": [*AFTER_ALL, "relearned"]},
    **{
        allocation: {"kind": "criterion", "criterion": "l1", "allocation": allocation}
        for allocation in ("global", "isomorphic", "least-error", "sensitivity")
    },
}


@pytest.mark.slow
def test_none_fails_on_any_layer(write_sweep, capfd):
    sweep = {
        "name": "every",
        "data": {"dataset": "every_layer:images", "fingerprint": "noise"},
        "models": {"net": {"network": "every_layer:EveryLayer", "train": {**TRAIN, "epochs": 2}}},
        "compressions": [0.3],
        "measure": {"reload": False},
        "protocols": PROTOCOLS,
        "methods": METHODS,
    }
    code = running.run(str(write_sweep(sweep)), [], backend="inline")
    told = capfd.readouterr()
    failures = [line for line in (told.out + told.err).splitlines() if line.startswith("failed")]
    assert (code, failures) == (0, [])
