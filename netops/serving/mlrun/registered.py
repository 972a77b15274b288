"""The champion in MLRun's registry: the version of a network's model with the tag ``champion``."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netops.errors import NetopsError, NoChampionError
from netops.models.card import read_card
from netops.registry import CHAMPION_TAG, SHADOW_TAG
from netops.scratch import discard
from netops.serving.engine.champion import Champion
from netops.serving.mlrun.model_folder import local_folder
from netops.tracking.install import install, names_service

CHAMPION, SHADOW = CHAMPION_TAG, SHADOW_TAG
#: Maximum versions with downloaded files: champion, shadow, and their predecessors.
_MAX_FOLDERS = 4
#: Networks that an error names.
_NAMED = 5


@dataclass
class RegisteredChampion:
    """The champion of a network in a project; each lookup reads one tag.

    Attributes
    ----------
    network, project : str
        Name of the network and of the project.
    fallback : str
        Address of the model that is served until the network has a champion.
    """

    network: str
    project: str = "netops"
    fallback: str = ""
    _folders: dict[str, Path] = field(default_factory=dict)

    def champion(self) -> Champion:
        """Return the champion; its files are downloaded once.

        Raises
        ------
        NoChampionError
            If there is none, and no fallback.
        """
        if self.fallback and self._tagged(CHAMPION) is None:
            return self._read(self.fallback)
        return self._download(*self.look_up())

    def shadow(self) -> Champion | None:
        """Return the shadow, or None; its files are downloaded once."""
        found = self._tagged(SHADOW)
        return self._download(*found) if found else None

    def find(self, version: str) -> Champion:
        """Return any version of the network; its files are downloaded once.

        Raises
        ------
        NetopsError
            If there is none.
        """
        if (found := self._labelled(f"version={version}", tag="*")) is None:
            raise NetopsError(f"network '{self.network}' has no version '{version[:40]}'")
        return self._download(*found)

    def look_up(self) -> tuple[str, str]:
        """Return the version and the ``store://`` address of the champion."""
        if (found := self._tagged(CHAMPION)) is None:
            others = ", ".join(self._served()[:_NAMED])
            known = f"; with a champion: {others} (--name)" if others else ""
            raise NoChampionError(f"network '{self.network}' has no champion; train one: netops run{known}")
        return found

    def _served(self) -> list[str]:
        """Return the networks that have a champion."""
        found = self._list(CHAMPION)
        return sorted({str(one["metadata"]["labels"]["network"]) for one in found})

    def _download(self, version: str, address: str) -> Champion:
        folder = self._folders.pop(version, None) or local_folder(address)
        self._folders[version] = folder
        while len(self._folders) > _MAX_FOLDERS:
            discard(self._folders.pop(next(iter(self._folders))))
        return Champion(version, folder)

    def _read(self, address: str) -> Champion:
        if address not in self._folders:
            self._folders[address] = local_folder(address)
        return Champion(read_card(self._folders[address]).version, self._folders[address])

    def _tagged(self, tag: str) -> tuple[str, str] | None:
        return self._labelled(tag=tag)

    def _labelled(self, *labels: str, tag: str) -> tuple[str, str] | None:
        import mlrun

        tagged = self._list(tag, f"network={self.network}", *labels)
        if not tagged:
            return None
        address = mlrun.artifacts.dict_to_artifact(tagged[0]).get_store_url(with_tag=False)
        return str(tagged[0]["metadata"]["labels"]["version"]), str(address)

    def _list(self, tag: str, *labels: str) -> list[dict[str, Any]]:
        import mlrun

        if not names_service():
            install()
        found = mlrun.get_run_db().list_artifacts(project=self.project, kind="model", tag=tag, labels=list(labels))
        return list(found)
