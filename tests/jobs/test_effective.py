from jobs.effective import effective
from jobs.load import load_sweep
from jobs.spec.training import FineTuneSpec


def test_it_has_what_the_file_leaves_out(tiny_sweep, write_sweep):
    tiny_sweep["protocols"] = {"tuned": {"kind": "fine-tune", "train": {"epochs": 2, "learning_rate": 0.01}}}
    shown = effective(load_sweep(write_sweep(tiny_sweep)))
    train = shown["protocols"]["tuned"]["train"]
    assert train["augment"] == "none"
    assert train["precision"] == "float32"  # which its key leaves out
    assert (train["epochs"], train["learning_rate"], train["schedule"]) == (2, 0.01, "constant")


def test_settings_are_shown_by_their_contents():
    shown = effective(FineTuneSpec(settings="cifar_fine_tune"))
    assert "settings" not in shown
    assert (shown["augment"], shown["epochs"]) == ("crop-flip", 40)


def test_it_loads_as_the_same_sweep(tiny_sweep, write_sweep):
    spec = load_sweep(write_sweep(tiny_sweep))
    assert load_sweep(write_sweep(effective(spec))) == spec
