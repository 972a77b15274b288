"""The champion as MLRun's registry names it: the version of a network's model that carries the tag ``champion``."""

from dataclasses import dataclass, field
from pathlib import Path

from netops.errors import NetopsError, NoChampionError
from netops.registry import CHAMPION_TAG, SHADOW_TAG
from netops.scratch import discard
from netops.serving.engine.champion import Champion

CHAMPION, SHADOW = CHAMPION_TAG, SHADOW_TAG
#: Versions whose downloaded files are kept: champion, shadow, and those that they follow.
_KEPT = 4


@dataclass
class RegisteredChampion:
    """The champion of a network in a project; each look reads one tag.

    Attributes
    ----------
    network, project : str
        Whose champion, and in which project.
    fallback : str
        Address of the model that is served until the network has a champion: one that is to be proven first.
    """

    network: str
    project: str = "netops"
    fallback: str = ""
    _folders: dict[str, Path] = field(default_factory=dict)

    def champion(self) -> Champion:
        """Name the champion; its files are brought here once.

        Raises
        ------
        NoChampionError
            If there is none, and no fallback.
        """
        if self.fallback and self._tagged(CHAMPION) is None:
            return self._read(self.fallback)
        return self._here(*self.look())

    def shadow(self) -> Champion | None:
        """Name the version that scores in its shadow; its files are brought here once."""
        found = self._tagged(SHADOW)
        return self._here(*found) if found else None

    def find(self, version: str) -> Champion:
        """Name any version of the network, such as one that is to be proven; its files are brought here once.

        Raises
        ------
        NetopsError
            If there is none.
        """
        if (found := self._labelled(f"version={version}", tag="*")) is None:
            raise NetopsError(f"network '{self.network}' has no version '{version[:40]}'")
        return self._here(*found)

    def look(self) -> tuple[str, str]:
        """Give the version and the ``store://`` address of the champion."""
        if (found := self._tagged(CHAMPION)) is None:
            raise NoChampionError(f"network '{self.network}' has no champion; train one: netops run")
        return found

    def _here(self, version: str, address: str) -> Champion:
        from netops.serving.mlrun.model_server import local_folder

        folder = self._folders.pop(version, None) or local_folder(address)
        self._folders[version] = folder
        while len(self._folders) > _KEPT:
            discard(self._folders.pop(next(iter(self._folders))))
        return Champion(version, folder)

    def _read(self, address: str) -> Champion:
        from netops.models.card import read_card
        from netops.serving.mlrun.model_server import local_folder

        if address not in self._folders:
            self._folders[address] = local_folder(address)
        return Champion(read_card(self._folders[address]).version, self._folders[address])

    def _tagged(self, tag: str) -> tuple[str, str] | None:
        return self._labelled(tag=tag)

    def _labelled(self, *labels: str, tag: str) -> tuple[str, str] | None:
        import mlrun

        from netops.tracking.install import install, names_service

        if not names_service():
            install()
        tagged = mlrun.get_run_db().list_artifacts(
            project=self.project, kind="model", tag=tag, labels=[f"network={self.network}", *labels]
        )
        if not tagged:
            return None
        address = mlrun.artifacts.dict_to_artifact(tagged[0]).get_store_url(with_tag=False)
        return str(tagged[0]["metadata"]["labels"]["version"]), str(address)
