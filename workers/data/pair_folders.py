"""Finds pairs of a high- and a low-resolution image in folders below one root, and looks at their sizes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import BadInputError
from workers.data.image_files import ENDINGS, image_files, rgb_shape
from workers.data.image_pairs import PairFiles

_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFolders:
    """Folders of images.

    Attributes:
        where: Prefix of an error message.
        root: The folder that holds all others.
        low: From a folder of high-resolution images to that of its low-resolution ones, both below the root. Other
            images have none: it is made from them.
        scale: How many times larger the high-resolution images are.
    """

    where: str
    root: Path
    low: Mapping[str, str]
    scale: int

    def pairs(self, folders: Sequence[str]) -> list[PairFiles]:
        """The pairs of some folders, in the order of folders and names.

        Raises:
            BadInputError: A folder is missing or has no images; images have no partner, or one of another size.
        """
        found: list[PairFiles] = []
        faults: list[str] = []
        for folder in folders:
            highs = self._images(folder)
            lows = self._partners(folder, highs) if folder in self.low else [None] * len(highs)
            for high, low in zip(highs, lows, strict=True):
                size = rgb_shape(high)
                height, width = (side // self.scale * self.scale for side in size)
                found.append(PairFiles(high=high, low=low, height=height, width=width))
                if not height or not width:
                    faults.append(f"{high} has {_shape(size)} pixels, fewer than scale {self.scale}")
                elif low is not None and rgb_shape(low) != (fitting := (height // self.scale, width // self.scale)):
                    faults.append(
                        f"{low} has {_shape(rgb_shape(low))} pixels; {_shape(fitting)} fit {high.name} "
                        f"({_shape(size)}) at scale {self.scale}"
                    )
        if faults:
            raise BadInputError(f"{self.where}: {few(faults)}")
        return found

    def _images(self, folder: str) -> list[Path]:
        path = self.root / folder
        if not path.is_dir():
            raise BadInputError(f"{self.where}: there is no folder {path}; put it there or name another")
        if not (found := image_files(path)):
            raise BadInputError(f"{self.where}: no images in {path}; {', '.join(ENDINGS)} are read")
        return found

    def _partners(self, folder: str, highs: Sequence[Path]) -> list[Path]:
        stems = {path.stem: path for path in self._images(self.low[folder])}
        names = [(f"{high.stem}x{self.scale}", high.stem) for high in highs]
        partners = [next((stems[name] for name in both if name in stems), None) for both in names]
        missing = [high.name for high, partner in zip(highs, partners, strict=True) if partner is None]
        if missing:
            raise BadInputError(
                f"{self.where}: {self.root / self.low[folder]} lacks low-resolution images of {few(missing)}; "
                f"for NAME.png it has to hold NAMEx{self.scale}.png or NAME.png"
            )
        return [partner for partner in partners if partner is not None]


def few(texts: Iterable[str]) -> str:
    """The first of many, and how many more there are."""
    every = list(texts)
    more = [f"and {len(every) - _SHOWN} more"] if len(every) > _SHOWN else []
    return "; ".join([*every[:_SHOWN], *more])


def _shape(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
