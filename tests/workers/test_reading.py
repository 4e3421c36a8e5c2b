import builtins
import errno
import io

import pytest
from attempts import a_task
from PIL import Image

from jobs.errors import BadInputError, UnfitMachineError
from jobs.outcome import Cause
from orchestrator.store import open_store
from workers.attempt.entry import run_task
from workers.attempt.failures import diagnose
from workers.checkpoints import Progress
from workers.data.files import read_image
from workers.models.checkpoint_files import read_checkpoint
from workers.reading import unreadable


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EMFILE, errno.ETIMEDOUT, errno.ECONNRESET])
def test_a_system_that_fails_says_nothing_of_the_file(number):
    error = unreadable(OSError(number, "no"), "x.png: cannot be read")
    assert (type(error), error.errno) == (type(OSError(number, "no")), number)
    assert diagnose(error).cause is Cause.TRANSIENT
    assert "x.png: cannot be read" in diagnose(error).message


def test_a_connection_that_is_lost_passes_without_a_number_too():
    assert diagnose(unreadable(ConnectionError("reset"), "x: cannot be read")).cause is Cause.TRANSIENT


@pytest.mark.parametrize("error", [OSError("image file is truncated"), ValueError("no")])
def test_a_file_that_is_not_what_it_should_be_is_bad_input(error):
    assert type(unreadable(error, "x: cannot be read")) is BadInputError


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES])
def test_a_file_that_is_not_here_may_be_elsewhere(number):
    assert isinstance(unreadable(OSError(number, "gone"), "x: cannot be read"), UnfitMachineError)


@pytest.fixture
def failing(monkeypatch):
    """Opening a file whose path has this text fails with this number."""

    def fail(text, number):
        true = builtins.open

        def opened(file, *args, **kwargs):
            if text in str(file):
                raise OSError(number, "the disk is away")
            return true(file, *args, **kwargs)

        monkeypatch.setattr(builtins, "open", opened)
        monkeypatch.setattr(io, "open", opened)

    return fail


def test_a_picture_that_cannot_be_read_for_a_moment_is_tried_again_from_the_checkpoint(tmp_path, failing):
    Image.new("RGB", (4, 4)).save(tmp_path / "one.png")
    store, task = open_store(tmp_path / "store"), a_task()

    def run(context):
        context.checkpoint.save(Progress(where="a step", tensors={}, record={}))
        read_image(tmp_path / "one.png")

    failing("one.png", errno.ESTALE)
    outcome = run_task(task, store, stage_of=lambda stage: run)
    assert outcome.cause is Cause.TRANSIENT
    assert "one.png: cannot be read as an image" in outcome.message
    assert store.load_checkpoint(task.key) is not None


def test_weights_that_cannot_be_read_for_a_moment_are_no_bad_ones(tmp_path, failing):
    (tmp_path / "weights.pt").write_bytes(b"whatever")
    failing("weights.pt", errno.EIO)
    with pytest.raises(OSError, match=r"weights\.pt: cannot be opened"):
        read_checkpoint(str(tmp_path / "weights.pt"))
