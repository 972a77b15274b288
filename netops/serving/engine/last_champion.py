"""A copy of the champion in the state folder, served while the registry is unavailable."""

import hashlib
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from netops.errors import NetopsError, NoChampionError
from netops.serving.engine.champion import Champion, ChampionFile, ModelSource

_LOG = logging.getLogger(__name__)

FILE = "champion.json"


class LastChampion:
    """A model source with a local copy (see ``champion.ModelSource``).

    Champion and shadow are copied when they change. If the source fails, the copies are used. If the source answers
    that there is no champion, the copy is not used.

    Parameters
    ----------
    source : ModelSource
        The source of the models.
    folder : Path
        The folder of the copies.
    """

    def __init__(self, source: ModelSource, folder: Path) -> None:
        self._source, self._folder = source, folder
        self._file = ChampionFile(folder / FILE)
        self._source_failed = False  # the source failed and a copy is used

    def champion(self) -> Champion:
        """Return the champion.

        Raises
        ------
        NoChampionError
            If the source answers that there is none.
        NetopsError
            If the source fails and there is no copy.
        """
        try:
            found = self._source.champion()
        except NoChampionError:
            raise
        except Exception as error:  # noqa: BLE001 registries and stores raise different errors
            return self._copy_instead(error)
        self._source_failed = False
        return self._store(found, self._file.promote)

    def shadow(self) -> Champion | None:
        """Return the challenger that scores in shadow, or None."""
        if self._source_failed:  # looking up the champion failed first: do not wait for a second failure
            return self._file.shadow()
        found = self._source.shadow()
        if found is not None:
            return self._store(found, self._file.put_in_shadow)
        self._file.end_shadow()
        return None

    def find(self, version: str) -> Champion:
        """Return any version of the network; it is not copied."""
        return self._source.find(version)

    def _copy_instead(self, error: Exception) -> Champion:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        try:
            copy = self._file.champion()
        except NetopsError:
            raise NetopsError(f"the champion cannot be looked up and there is no local copy: {reason}") from error
        if not self._source_failed:
            _LOG.warning("the champion cannot be looked up, %s stays in service: %s", copy.version, reason)
        self._source_failed = True
        return copy

    def _store(self, found: Champion, write_name: Callable[[str, Path], None]) -> Champion:
        """Copy a model, then write its name to the file, so that the file always names a complete folder."""
        folder = self._folder / hashlib.sha256(found.version.encode()).hexdigest()[:16]
        try:
            known = [self._file.champion(), self._file.shadow()] if self._file.file.is_file() else []
            if not folder.is_dir():
                _copy(found.path, folder)
            if Champion(found.version, folder) not in known:
                write_name(found.version, Path(folder.name))
                self._delete_others()
        except OSError as error:
            _LOG.warning("model %s is served, but could not be copied: %s", found.version, error)
            return found
        return Champion(found.version, folder)

    def _delete_others(self) -> None:
        named = {model.path for model in (self._file.champion(), self._file.shadow()) if model}
        for folder in self._folder.iterdir():
            if folder.is_dir() and folder not in named:
                shutil.rmtree(folder, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder, atomically."""
    draft = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        shutil.copytree(source, draft)
        draft.replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
