import copy

import pytest
from faults import faults_of

from jobs.errors import InvalidFileError
from jobs.load import load_sweep


def changed(sweep: dict, path: str, value: object) -> dict:
    sweep = copy.deepcopy(sweep)
    *parents, last = path.split(".")
    node = sweep
    for parent in parents:
        node = node[parent]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return sweep


TAYLOR = {"kind": "criterion", "criterion": "taylor"}

# (what is changed, to what, path of the fault, words of its problem)
MALFORMED = [
    ("name", ..., "name", "is missing"),
    ("name", "two words", "name", "not a name"),
    ("name", "", "name", "not a name"),
    ("name", 3, "name", "3 is not valid; give text"),
    ("name", "../escape", "name", "not a name"),
    ("storge", "x", "storge", "did you mean 'storage'?"),
    ("storage", 5, "storage", "5 is not valid; give text"),
    ("seeds", [], "seeds", "is empty"),
    ("seeds", 3, "seeds", "is not a list; write [0, 1, 2]"),
    ("seeds", ["0"], "seeds[0]", "give a whole number"),
    ("seeds", [True], "seeds[0]", "give a whole number"),
    ("seeds", [0.5], "seeds[0]", "give a whole number"),
    ("seeds", [-1], "seeds[0]", "greater than or equal to 0"),
    ("seeds", [4, 4], "seeds", "duplicate value 4"),
    ("device", "gpu", "device", "'auto', 'cpu' or 'cuda'"),
    ("data", ..., "data", "is missing"),
    ("data.dataset", "digts", "data.dataset", "did you mean 'digits'?"),
    ("data.dataset", "cifar10", "data", "data.root=FOLDER"),
    ("data.dataset", "no_such_package.data:load", "data.dataset", "no package 'no_such_package'"),
    ("data.dataset", "my data:load", "data.dataset", "not an import path"),
    ("data.batch_size", 0, "data.batch_size", "greater than or equal to 1"),
    ("data.batchsize", 8, "data.batchsize", "did you mean 'batch_size'?"),
    ("data.normalize", {"mean": [0.5], "std": [0.0]}, "data.normalize.std[0]", "greater than 0"),
    ("data.normalize", {"mean": [0.5], "std": [1.0, 1.0]}, "data.normalize", "different lengths"),
    ("compressions", [], "compressions", "is empty"),
    ("compressions", [1.4], "compressions[0]", "less than 1"),
    ("compressions", [0.2, 1.0], "compressions[1]", "less than 1"),
    ("compressions", [-0.1], "compressions[0]", "greater than or equal to 0"),
    ("compressions", [0.205], "compressions[0]", "steps of 0.01"),
    ("compressions", [0.2, 0.2], "compressions", "duplicate value 0.2"),
    ("compressions", ["0.2"], "compressions[0]", "give a number"),
    ("compressions", [float("nan")], "compressions[0]", "finite"),
    ("compressions", ..., "", "no compressions for l1"),
    ("models", ..., "models", "is missing"),
    ("models", {}, "models", "is empty"),
    ("models", ["resnet"], "models", "is no mapping"),
    ("models.net.network", "resnt", "models.net.network", "did you mean 'resnet'?"),
    ("models.net.network", "torchvision:resnet19", "models.net.network", "did you mean 'resnet18'?"),
    ("models.net.network", "no_such_package:Net", "models.net.network", "no package 'no_such_package'"),
    ("models.net.inputs", [], "models.net.inputs", "is empty"),
    ("models.net.inputs", 3, "models.net.inputs", "is not a list"),
    ("models.net.inputs", [{"shape": [4], "dtyp": "bool"}], "models.net.inputs[0].dtyp", "did you mean 'dtype'?"),
    ("models.net.inputs", {"x": {"shape": [4], "dtyp": "bool"}}, "models.net.inputs.x.dtyp", "did you mean 'dtype'?"),
    ("models.net.inputs", [{"shape": [4], "dtype": "int64"}], "models.net.inputs[0]", "has dtype int64 and no `high`"),
    ("models.net.inputs", {"x": {"shape": [4], "low": 1}}, "models.net.inputs.x", "are of whole numbers"),
    (
        "models.net.inputs",
        [{"shape": [4], "dtype": "int8", "low": 5, "high": 5}],
        "models.net.inputs[0]",
        "`high` has to be above `low`",
    ),
    ("models.net.train", ..., "models.net", "has no weights"),
    ("models.net.network", "timm:", "models.net.network", "names no network; write timm:NAME"),
    ("models.net.weights", "own", "models.net", "for your own package.module:callable"),
    ("models.net.weights", "pretrained", "models.net", "'resnet' has none that a library publishes"),
    ("models.net.weights", "hf://one", "models.net.weights", "write hf://ORG/NAME"),
    ("models.net.weights_key", "ema", "models.net", "has weights_key, but no `weights`"),
    ("models.net.replace_head", True, "models.net", "has `replace_head`, but no `weights`"),
    ("models.net.train.epochs", ..., "models.net.train.epochs", "is missing"),
    ("models.net.train.epochs", 0, "models.net.train.epochs", "greater than or equal to 1"),
    ("models.net.train.epoch", 1, "models.net.train.epoch", "did you mean 'epochs'?"),
    ("models.net.train.learning_rate", 0, "models.net.train.learning_rate", "greater than 0"),
    ("models.net.train.momentum", 1.0, "models.net.train.momentum", "less than 1"),
    ("models.net.train.schedule", "sqrt", "models.net.train.schedule", "'poly', 'one-cycle' or 'linear'"),
    ("models.net.train.warmup_epochs", 1, "models.net.train", "must be less than epochs (1)"),
    ("models.bad name", {"network": "resnet", "weights": "w"}, "models.bad name", "not a name"),
    ("methods", {}, "methods", "is empty"),
    ("methods.l1", {}, "methods.l1", "has no kind"),
    ("methods.l1.kind", "criterium", "methods.l1", "did you mean 'criterion'?"),
    ("methods.l1.criterion", "l7", "methods.l1.criterion", "known: absolute-loss-change, apoz"),
    ("methods.l1.criterion", "tailor", "methods.l1.criterion", "did you mean 'taylor'?"),
    ("methods.l1.criterion", "no_such_package.criteria:mine", "methods.l1.criterion", "no package 'no_such_package'"),
    ("methods.l1.score", {"images": 8}, "methods.l1", "l1 uses no data; remove `score`"),
    ("methods.l1.observation", "activations", "methods.l1", "l1 has its own observation; remove `observation`"),
    ("methods.l1.observation", "activation", "methods.l1.observation", "did you mean 'activations'?"),
    ("methods.t", {**TAYLOR, "score": {"images": 0}}, "methods.t.score.images", "greater than or equal to 1"),
    ("methods.t", {**TAYLOR, "score": {"image": 8}}, "methods.t.score.image", "did you mean 'images'?"),
    ("methods.l1.criterion", ..., "methods.l1.criterion", "is missing"),
    ("methods.l1.tune", {"steps": 3}, "methods.l1.tune", "unknown key"),
    ("methods.l1.compressions", [], "methods.l1.compressions", "is empty"),
    ("methods.dense.compressions", [0.1], "methods.dense.compressions", "unknown key"),
    ("methods.l1.protocols", ["fresh"], "", "method l1 asks for the protocol 'fresh', which is unknown"),
    ("methods.l1.models", ["nett"], "", "method l1 is for the model 'nett'; did you mean 'net'?"),
    ("methods.l1.models", [], "methods.l1.models", "is empty"),
    ("methods.l1.protocols", [], "methods.l1.protocols", "is empty"),
    ("protocols", {"none": {"kind": "recalibrate"}}, "", "protocol 'none' is predefined"),
    ("protocols", {"fresh": {"kind": "recalibrate", "epochs": 1}}, "protocols.fresh.epochs", "unknown key"),
    ("methods.i", {"kind": "integral", "tune": {"step": 3}}, "methods.i.tune.step", "did you mean 'steps'?"),
    ("protocols", {"f": {"kind": "fine-tun"}}, "protocols.f", "did you mean 'fine-tune'?"),
    ("protocols", {"f": {"kind": "fine-tune", "train": {"epoch": 1}}}, "protocols.f.train.epoch", "mean 'epochs'?"),
    ("protocols", {"o": {"kind": "own", "change": "no_such_package:f"}}, "protocols.o.change", "no package"),
    ("protocols", {"o": {"kind": "own", "change": "distil"}}, "protocols.o.change", "package.module:callable"),
    ("protocols", {"s": {"kind": "scratch", "cap": 2.0}}, "protocols.s", "remove `cap`, or set budget: macs"),
    ("protocols", {"s": {"kind": "scratch", "budget": "macs", "cap": 0.5}}, "protocols.s.cap", "or equal to 1"),
    ("protocols", {"s": {"kind": "scratch", "budget": "macs-and-fine-tuning"}}, "protocols.s", "give both or neither"),
    ("protocols", {"s": {"kind": "scratch", "fine_tuning_epochs": 4}}, "protocols.s", "give both or neither"),
    (
        "protocols",
        {"r": {"kind": "rewind", "what": "weights", "epoch": True}},
        "protocols.r.epoch",
        "true is no number",
    ),
    (
        "protocols",
        {"r": {"kind": "rewind", "what": "weights", "epoch": 1.5}},
        "protocols.r",
        "a whole number of epochs",
    ),
    (
        "models.net.train.compile",
        "fast",
        "models.net.train.compile",
        "allowed: false, true or 'reduce-overhead'",
    ),
    ("models.net.train.batch_size", 1, "models.net.train.batch_size", "greater than or equal to 2"),
    (
        "models.net.train",
        {"epochs": 1, "nesterov": True, "momentum": 0.0},
        "models.net.train",
        "nesterov needs momentum above 0",
    ),
    (
        "protocols",
        {"f": {"kind": "fine-tune", "train": {"batch_size": 1}}},
        "protocols.f.train.batch_size",
        "greater than or equal to 2",
    ),
    ("models.net.train.settings", "cifar_retinking", "models.net.train.settings", "'cifar_rethinking'"),
    ("models.net.train.milestones", [0.5, 1.0], "models.net.train.milestones[1]", "less than 1"),
    ("models.net.train.milestones", [0.7, 0.5], "models.net.train.milestones", "do not increase"),
    ("protocols", {"f": {"kind": "fine-tune", "race": {"rungs": []}}}, "protocols.f.race.rungs", "is empty"),
    (
        "protocols",
        {"f": {"kind": "fine-tune", "race": {"rungs": [0.3, 0.1]}}},
        "protocols.f.race.rungs",
        "not increase",
    ),
    (
        "protocols",
        {"f": {"kind": "scratch", "race": {"rungs": [0.5], "keep": 1.0}}},
        "protocols.f.race.keep",
        "less than 1",
    ),
    ("protocols", {"f": {"kind": "recalibrate", "race": {"rungs": [0.5]}}}, "protocols.f.race", "unknown key"),
    (
        "methods.i",
        {"kind": "integral", "ordering": {"metric": "l3"}},
        "methods.i.ordering.metric",
        "'l1', 'l2' or 'cosine'",
    ),
    (
        "methods.i",
        {"kind": "integral", "ordering": {"method": "norm", "choice": "output"}},
        "methods.i.ordering",
        "choice: output needs method: tsp; norm is one order, with no pool",
    ),
    (
        "methods.i",
        {"kind": "integral", "ordering": {"choice": "output"}, "train": {"epochs": 1}},
        "methods.i",
        "a network trained at all sizes keeps one order; remove `ordering.choice` or remove `train`",
    ),
    (
        "methods.i",
        {"kind": "integral", "coefficients": 0.5, "train": {"epochs": 1}},
        "methods.i",
        "training gives every channel a coefficient again; remove `coefficients`, or `train`",
    ),
    (
        "methods.i",
        {"kind": "integral", "coefficients": 0.5, "ordering": {"choice": "output"}},
        "methods.i",
        "functions of fewer coefficients have one order; remove `ordering.choice`",
    ),
    (
        "methods.i",
        {"kind": "integral", "coefficients": 0.5, "repair": "statistics"},
        "methods.i",
        "would follow the network of fewer coefficients, not the dense one",
    ),
    (
        "methods.i",
        {"kind": "integral", "coefficients": 0.5, "tune": {"target": "dense"}},
        "methods.i",
        "would follow the network of fewer coefficients, not the dense one",
    ),
    (
        "methods.i",
        {"kind": "integral", "repair": "variance", "batchnorm": "fold", "train": {"epochs": 1}},
        "methods.i",
        "remove batchnorm: fold, or use repair: statistics",
    ),
    (
        "methods.i",
        {"kind": "integral", "batchnorm": "fold", "train": {"epochs": 1, "start": "scratch"}},
        "methods.i",
        "training from scratch needs the batch norms",
    ),
    (
        "measure",
        {"attack": {"by": {"int8": {"kind": "fgsm", "epsilon": 8}}}},
        "measure.attack.by",
        "int8 is the name of the quantised network",
    ),
    ("methods.i", {"kind": "integral", "repair_images": 64}, "methods.i", "repair: none reads no images"),
    ("methods.f", {"kind": "fold", "repair_images": 64}, "methods.f", "repair: approximate reads no images"),
    *(
        ("measure", {"attack": {"by": {"a": attack}}}, f"measure.attack.by.a{path}", words)
        for attack, path, words in (
            ({"kind": "pgd20", "epsilon": 8}, "", "kind 'pgd20' is unknown; did you mean 'pgd'?"),
            ({"epsilon": 8}, "", "has no kind; say kind: fgsm, pgd, autoattack"),
            ({"kind": "fgsm", "epsilon": 8, "steps": 3}, ".steps", "unknown key; known: epsilon, kind"),
            ({"kind": "pgd", "epsilon": 8, "step": 3}, ".step", "did you mean 'steps'?"),
            ({"kind": "fgsm", "epsilon": 0.03}, ".epsilon", "write 7.65"),
            ({"kind": "fgsm", "epsilon": 300}, ".epsilon", "less than or equal to 255"),
        )
    ),
    ("resources", {"train": {"num_cpus": 0}}, "resources.train.num_cpus", "greater than 0"),
    ("resources", {"tain": {}}, "resources.tain", "there is no such stage; did you mean 'train'?"),
]


@pytest.mark.parametrize(("change", "value", "path", "words"), MALFORMED)
def test_a_fault_names_its_path_and_its_remedy(tiny_sweep, write_sweep, change, value, path, words):
    faults = faults_of(write_sweep(changed(tiny_sweep, change, value)))
    assert words in faults.get(path, "")
    assert len(faults) == 1  # and nothing else is blamed


L1 = {"kind": "criterion", "criterion": "l1"}


def test_controls_are_added_where_they_lack(tiny_sweep, write_sweep):
    spec = load_sweep(write_sweep({**tiny_sweep, "controls": True, "methods": {"l1": L1}}))
    assert [method.kind for method in spec.methods.values()] == ["dense", "criterion", "criterion"]
    assert spec.methods["random"].criterion == "random"


def test_controls_under_another_name_count(tiny_sweep, write_sweep):
    there = {"whole": {"kind": "dense"}, "chance": {"kind": "criterion", "criterion": "random"}, "l1": L1}
    assert load_sweep(write_sweep({**tiny_sweep, "controls": True, "methods": there})).methods.keys() == there.keys()


def test_random_is_asked_for_all_that_others_are(tiny_sweep, write_sweep):
    methods = {"a": {**L1, "compressions": [0.1, 0.3]}, "b": {**L1, "compressions": [0.3, 0.2]}}
    sweep = {key: value for key, value in tiny_sweep.items() if key != "compressions"}
    spec = load_sweep(write_sweep({**sweep, "controls": True, "methods": methods}))
    assert spec.compressions_of("random") == (0.1, 0.3, 0.2)


TEXTS = [
    ("", "the file is empty"),
    ("# nothing\n", "the file is empty"),
    ("- a\n- b\n", "holds a list"),
    ("just words", "holds a str"),
    ("a: [1, 2\nb: 3\n", "not YAML"),
    ("a: 1\n\tb: 2\n", "not YAML"),
    ("a: !!python/object/apply:os.system ['true']\n", "is not allowed; use none"),
]


@pytest.mark.parametrize(("text", "words"), TEXTS)
def test_what_is_no_mapping_is_refused(tmp_path, text, words):
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    assert words in faults_of(path)[""]


def test_a_missing_file_is_refused(tmp_path):
    assert "cannot be read" in faults_of(tmp_path / "none.yaml")[""]


def test_a_binary_file_is_refused(tmp_path):
    (tmp_path / "sweep.yaml").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in faults_of(tmp_path / "sweep.yaml")[""]


def test_a_name_that_stands_twice_is_named_with_both_lines(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text("name: a\nmethods:\n  l1: {kind: dense}\n  l1: {kind: dense}\n")
    assert "lines 3 and 4" in faults_of(path)["methods.l1"]


def test_all_faults_come_at_once(tiny_sweep, write_sweep):
    sweep = changed(changed(tiny_sweep, "compressions", [1.4]), "models.net.network", "resnt")
    faults = faults_of(write_sweep({**sweep, "seeds": [0, 0]}), "methods.l1.criterion=l7", "noise")
    assert faults.keys() == {"compressions[0]", "models.net.network", "seeds", "methods.l1.criterion", "noise"}


def test_the_message_counts_the_faults_and_names_the_file(tiny_sweep, write_sweep):
    path = write_sweep(changed(tiny_sweep, "compressions", [1.4]))
    with pytest.raises(InvalidFileError, match=r"sweep\.yaml: 1 problem\n  compressions\[0\]: "):
        load_sweep(path)


def test_paths_become_absolute_and_uris_stay(tiny_sweep, write_sweep, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    nets = "models={a: {network: resnet, weights: w.pt}, b: {network: resnet, weights: 's3://bucket/w.pt'}}"
    spec = load_sweep(write_sweep(tiny_sweep), [nets, "data.root=~/data"])
    assert spec.models["a"].weights == str(tmp_path / "w.pt")
    assert spec.models["b"].weights == "s3://bucket/w.pt"
    assert spec.data.root == "/home/someone/data"


def test_numbers_in_scientific_notation_are_numbers(tiny_sweep, write_sweep):
    spec = load_sweep(write_sweep(tiny_sweep), ["models.net.train.weight_decay=5e-4"])
    assert spec.models["net"].train.weight_decay == 0.0005


def test_the_methods_own_compressions_win_over_those_of_the_sweep(tiny_sweep, write_sweep):
    spec = load_sweep(write_sweep(changed(tiny_sweep, "methods.l1.compressions", [0.5])))
    assert (spec.compressions_of("l1"), spec.compressions_of("dense")) == ((0.5,), (0.0,))


@pytest.mark.parametrize(
    ("method", "reads", "num_images"),
    [
        ({"criterion": "l1"}, None, None),
        ({"criterion": "mean-l1"}, "activations", None),  # all
        ({"criterion": "mean-l1", "score": {"images": 9}}, "activations", 9),
        ({"criterion": "taylor"}, "gradients", 1024),
        ({"criterion": "taylor", "score": {"batch_size": 1}}, "gradients", 1024),
        ({"criterion": "jobs.mine:worth"}, None, None),
        ({"criterion": "jobs.mine:worth", "observation": "ranks"}, "ranks", 512),
        ({"criterion": "jobs.mine:worth", "observation": "jobs.mine:look"}, "jobs.mine:look", None),
    ],
)
def test_a_criterion_says_what_it_reads_and_of_how_many_images(tiny_sweep, write_sweep, method, reads, num_images):
    path = write_sweep(changed(tiny_sweep, "methods.c", {"kind": "criterion", **method}))
    spec = load_sweep(path).methods["c"]
    assert (spec.reads, spec.num_images) == (reads, num_images)


def test_where_imports_are_bounded_a_sweep_file_names_no_others(write_sweep, tiny_sweep, monkeypatch):
    monkeypatch.setenv("ORCHARD_ALLOW_IMPORTS", "my_project")
    load_sweep(write_sweep(tiny_sweep))
    faults = faults_of(write_sweep(changed(tiny_sweep, "models.net.network", "subprocess:Popen")))
    assert "'subprocess' may not be named here" in faults["models.net.network"]
    faults = faults_of(write_sweep(changed(tiny_sweep, "models.net.network", "timm:resnet18")))
    assert "'timm' may not be named here" in faults["models.net.network"]
