import os

import numpy as np
import pytest
from PIL import Image

from jobs.errors import BadInputError
from workers.data import image_pairs
from workers.data.image_pairs import CACHE_BYTES, CACHE_FOLDER, ImagePairs, PairFiles, image_cache


def write(path, value):
    Image.new("RGB", (6, 4), (value, 0, 0)).save(path)


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(2)]
    for number, path in enumerate(paths):
        write(path, number)
    return [PairFiles(high=path, low=None, height=4, width=6) for path in paths]


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that were decoded."""
    names, read = [], image_pairs.read_rgb
    monkeypatch.setattr(image_pairs, "read_rgb", lambda path: names.append(path.name) or read(path))
    return names


@pytest.fixture
def open_pairs(tmp_path, monkeypatch, files, decoded):
    """Opens the pairs as a new process does."""
    monkeypatch.setenv(CACHE_FOLDER, str(tmp_path / "cache"))

    def start():
        image_pairs._mapped.cache_clear()
        image_pairs._say_that_nothing_is_kept.cache_clear()
        decoded.clear()
        return ImagePairs(files, scale=2, enlarged=False, cache=image_cache())

    return start


def kept(tmp_path):
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_an_image_is_decoded_once_for_all_processes(open_pairs, decoded):
    pairs = open_pairs()
    for index in (0, 1, 0, 1, 0):
        low, high = pairs.pixels(index)
        assert (low.shape, high.shape) == ((2, 3, 3), (4, 6, 3))
        assert high[..., 0].tolist() == np.full((4, 6), index).tolist()
    assert decoded == ["0.png", "1.png"]
    assert open_pairs().pixels(1)[0][0, 0].tolist() == [1, 0, 0]
    assert decoded == []


def test_what_is_mapped_cannot_be_written_to(open_pairs):
    open_pairs().pixels(0)
    with pytest.raises(ValueError, match="read-only"):
        open_pairs().pixels(0)[1][0] = 1


def test_an_image_that_changed_is_decoded_again(open_pairs, files, decoded):
    open_pairs().pixels(0)
    write(files[0].high, 9)
    os.utime(files[0].high, ns=(1, 1))
    assert open_pairs().pixels(0)[1].max() == 9
    assert decoded == ["0.png"]


def test_other_settings_have_files_of_their_own(open_pairs, files, tmp_path):
    open_pairs().pixels(0)
    ImagePairs(files, scale=2, enlarged=True, cache=image_cache()).pixels(0)
    assert sorted(path.stat().st_size for path in kept(tmp_path)) == [72 + 18, 72 + 72]


@pytest.mark.parametrize("content", [b"", b"short"])
def test_a_file_that_is_not_whole_is_made_again(open_pairs, tmp_path, decoded, content):
    open_pairs().pixels(0)
    (path,) = kept(tmp_path)
    path.write_bytes(content)
    assert open_pairs().pixels(0)[1].shape == (4, 6, 3)
    assert decoded == ["0.png"]
    assert path.stat().st_size == 72 + 18


def test_a_file_that_is_used_was_used_last(open_pairs, tmp_path):
    open_pairs().pixels(0)
    (path,) = kept(tmp_path)
    os.utime(path, (1, 1))
    open_pairs().pixels(0)
    assert path.stat().st_mtime > 1


def test_without_a_cache_every_read_decodes(open_pairs, tmp_path, decoded, monkeypatch):
    monkeypatch.setenv(CACHE_BYTES, "0")
    pairs = open_pairs()
    assert np.array_equal(pairs.pixels(0)[1], pairs.pixels(0)[1])
    assert decoded == ["0.png", "0.png"]
    assert kept(tmp_path) == []


def test_where_nothing_can_be_written_it_is_said_once(open_pairs, tmp_path, decoded, caplog):
    (tmp_path / "cache").write_text("not a folder")
    pairs = open_pairs()
    for index in (0, 1):
        assert pairs.pixels(index)[1].max() == index
    assert decoded == ["0.png", "1.png"]
    assert len(caplog.messages) == 1
    assert "every patch decodes an image: slow. ORCHARD_IMAGE_CACHE names another folder" in caplog.messages[0]


def test_a_size_that_changed_since_loading_is_named(open_pairs, files):
    pairs = open_pairs()
    Image.new("RGB", (5, 4)).save(files[0].high)
    with pytest.raises(BadInputError, match=r"0\.png: it or its low-resolution image has changed its size"):
        pairs.pixels(0)
