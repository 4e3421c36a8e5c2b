import pytest
import torch

from jobs.errors import BadInputError, CancelledError

IMAGES = torch.arange(5.0).view(5, 1, 1, 1)


def test_a_pass_sees_every_image_once_and_can_be_made_again(batches):
    made = batches(IMAGES, labels=[0, 1, 2, 3, 4])
    for _ in range(2):
        seen = list(made)
        assert torch.cat([images for images, _ in seen]).flatten().tolist() == [0, 1, 2, 3, 4]
        assert torch.cat([labels for _, labels in seen]).tolist() == [0, 1, 2, 3, 4]
        assert [len(images) for images, _ in seen] == [2, 2, 1]


def test_labels_are_hidden_from_what_needs_none(batches):
    made = batches(IMAGES, labels=[0, 1, 2, 3, 4], labelled=False)
    assert torch.cat([labels for _, labels in made]).tolist() == [-1] * 5


def test_it_stops_on_request(batches):
    answers = iter([False, True])
    with pytest.raises(CancelledError):
        list(batches(IMAGES, should_stop=lambda: next(answers)))


def test_no_images_are_an_error(batches):
    with pytest.raises(BadInputError, match="no training images"):
        batches(IMAGES[:0])
