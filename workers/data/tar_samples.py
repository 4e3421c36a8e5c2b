"""Tar files of samples, as WebDataset lays them out: members that follow one another with one name are a sample.

A member's name ends at its first dot and what follows is its kind: `n01440764/12.jpg` and `n01440764/12.cls` are the
sample `n01440764/12`. Nothing but image formats and whole numbers is decoded; the library's pickles are not read.
"""

import os
import tarfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

from jobs.errors import BadInputError
from workers.data.files import decode_image
from workers.reading import unreadable

IMAGE_KINDS = ("jpg", "jpeg", "png")
LABEL_KIND = "cls"

Member = tuple[int, int]
"""Where a member's bytes begin in the file, and how many there are."""


class TarSamples:
    """One tar file, its members found and its bytes read on demand.

    Args:
        path: The file, without compression.
        name: For messages.

    Raises:
        BadInputError: It cannot be read.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._name, self._samples = name, find_samples(path, name)
        self._file = path.open("rb")

    def __len__(self) -> int:
        return len(self._samples)

    def image(self, number: int) -> Image.Image:
        """The picture of a sample, in RGB.

        Raises:
            BadInputError: There is none that can be decoded.
        """
        key, members = self._samples[number]
        kind = next((each for each in IMAGE_KINDS if each in members), None)
        if kind is None:
            raise BadInputError(
                f"{self._name}: sample {key} has {', '.join(members)}; one of {', '.join(IMAGE_KINDS)} is needed"
            )
        return decode_image(BytesIO(self._bytes(members[kind])), f"{self._name}, {key}.{kind}")

    def label(self, number: int) -> int:
        """The class of a sample.

        Raises:
            BadInputError: There is none.
        """
        key, members = self._samples[number]
        text = self._bytes(members[LABEL_KIND]).strip() if LABEL_KIND in members else b""
        if not text.isdigit():
            raise BadInputError(
                f"{self._name}: sample {key} has no whole number as {key}.{LABEL_KIND}, its class; write one"
            )
        return int(text)

    def _bytes(self, member: Member) -> bytes:
        # Not by seeking: processes that were forked have the position in common.
        return os.pread(self._file.fileno(), member[1], member[0])


def find_samples(path: Path, name: str) -> Sequence[tuple[str, Mapping[str, Member]]]:
    """The samples of a tar file: their names, and their members by kind.

    Args:
        path: The file, without compression.
        name: For messages.

    Raises:
        BadInputError: It cannot be read.
        OSError: The system could not read it now.
    """
    found: list[tuple[str, dict[str, Member]]] = []
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                folder, slash, file = member.name.rpartition("/")
                stem, dot, kind = file.partition(".")
                if not member.isfile() or not dot or not stem:  # hidden files, too
                    continue
                key = f"{folder}{slash}{stem}"
                if not found or found[-1][0] != key:
                    found.append((key, {}))
                found[-1][1][kind.lower()] = (member.offset_data, member.size)
    except (OSError, tarfile.TarError) as error:
        raise unreadable(error, f"{name}: cannot be read as a tar file ({error}); write it anew") from error
    return found
