"""The champion of a network with a copy in the state folder: served on while the registry is away."""

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
    """A source of models that remembers what it found (see ``champion.ModelSource``).

    Champion and shadow are copied when they change. When the source fails, the copies are named in its place; a
    source that answers that there is no champion is believed.

    Parameters
    ----------
    source : ModelSource
        Where they are looked up.
    folder : Path
        Where the copies are kept.
    """

    def __init__(self, source: ModelSource, folder: Path) -> None:
        self._source, self._folder = source, folder
        self._file = ChampionFile(folder / FILE)
        self._away = False  # the source failed, and a copy stood in

    def champion(self) -> Champion:
        """Name the champion.

        Raises
        ------
        NoChampionError
            If the source says that there is none.
        NetopsError
            If the source fails and no copy has been kept.
        """
        try:
            found = self._source.champion()
        except NoChampionError:
            raise
        except Exception as error:  # noqa: BLE001 each registry and each store has errors of its own
            return self._kept(error)
        self._away = False
        return self._keep(found, self._file.promote)

    def shadow(self) -> Champion | None:
        """Name the challenger that scores in the champion's shadow, if there is one."""
        if self._away:  # the champion was asked for first: no need to wait for a second failure
            return self._file.shadow()
        found = self._source.shadow()
        if found is not None:
            return self._keep(found, self._file.put_in_shadow)
        self._file.end_shadow()
        return None

    def find(self, version: str) -> Champion:
        """Name any version of the network; no copy is kept of it."""
        return self._source.find(version)

    def _kept(self, error: Exception) -> Champion:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        try:
            kept = self._file.champion()
        except NetopsError:
            raise NetopsError(f"the champion cannot be looked up, and none was served before: {reason}") from error
        if not self._away:
            _LOG.warning("the champion cannot be looked up, %s stays in service: %s", kept.version, reason)
        self._away = True
        return kept

    def _keep(self, found: Champion, name_it: Callable[[str, Path], None]) -> Champion:
        """Copy a model, then name the copy: whenever this ends, the file names a whole folder."""
        folder = self._folder / hashlib.sha256(found.version.encode()).hexdigest()[:16]
        try:
            known = [self._file.champion(), self._file.shadow()] if self._file.file.is_file() else []
            if not folder.is_dir():
                _copy(found.path, folder)
            if Champion(found.version, folder) not in known:
                name_it(found.version, Path(folder.name))
                self._forget_others()
        except OSError as error:
            _LOG.warning("model %s is served without a copy for later: %s", found.version, error)
            return found
        return Champion(found.version, folder)

    def _forget_others(self) -> None:
        named = {model.path for model in (self._file.champion(), self._file.shadow()) if model}
        for folder in self._folder.iterdir():
            if folder.is_dir() and folder not in named:
                shutil.rmtree(folder, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder; the copy appears whole or not at all."""
    draft = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        shutil.copytree(source, draft)
        draft.replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
