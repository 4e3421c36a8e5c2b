"""Threads of which one runs at a time, each until its next file operation, to make every interleaving of drivers."""

import threading
from collections.abc import Callable

from dict_files import DictFiles


class KilledError(BaseException):
    """Raised in an actor that was killed: nothing catches it."""


class Actor:
    """A thread that goes on to its next `pause` when it is told to.

    Args:
        body: What it does; it is given its actor.
    """

    def __init__(self, body: Callable[["Actor"], None]) -> None:
        self._go, self._paused = threading.Semaphore(0), threading.Semaphore(0)
        self._body = body
        self.killed = self.ended = False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Called by the body: wait to be told to go on."""
        self._paused.release()
        self._go.acquire()
        if self.killed:
            raise KilledError

    def step(self) -> None:
        """Let it go on to its next pause or its end; what it raised is raised here."""
        self._go.release()
        self._paused.acquire()
        if self.error is not None:
            raise self.error

    def kill(self) -> None:
        """End it where it is."""
        self.killed = True
        if not self.ended:
            self.step()

    def _run(self) -> None:
        self._go.acquire()
        try:
            self._body(self)
        except KilledError:
            pass
        except BaseException as error:
            self.error = error
        self.ended = True
        self._paused.release()


class PausingFiles(DictFiles):
    """Files that several actors share; each of them pauses before every operation.

    Args:
        shared: What holds the content.
        actor: Whose view this is.
    """

    def __init__(self, shared: DictFiles, actor: Actor) -> None:
        self.__dict__.update(shared.__dict__)
        self._actor = actor

    def read(self, path: str) -> bytes:
        self._actor.pause()
        return super().read(path)

    def create(self, path: str, content: bytes, *, sync: bool = True) -> bool:
        self._actor.pause()
        return super().create(path, content)

    def replace(self, path: str, content: bytes) -> None:
        self._actor.pause()
        super().replace(path, content)

    def delete(self, path: str) -> None:
        self._actor.pause()
        super().delete(path)

    def names(self, folder: str) -> list[str]:
        self._actor.pause()
        return super().names(folder)
