from dataclasses import replace

from tracked_curves import make_curve

from orchestrator.tracking.runs import words_of


def test_the_labels_of_a_model_are_tags_to_group_runs_by():
    plan = replace(make_curve().plan, labels={"optimiser": "adam", "note": "x" * 6000})
    tags = words_of(plan)
    assert (tags["orchard.method"], tags["orchard.label.optimiser"]) == ("l1", "adam")
    assert len(tags["orchard.label.note"]) == 500


def test_without_labels_there_are_none():
    assert not [tag for tag in words_of(make_curve().plan) if tag.startswith("orchard.label")]
