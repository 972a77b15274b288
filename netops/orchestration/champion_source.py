"""Where a running server looks up which model it should serve: MLRun's registry."""

from dataclasses import dataclass, field
from pathlib import Path

from netops.orchestration import registry
from netops.serving.champion import Champion
from netops.tracking.folders import local_model


@dataclass
class RegisteredChampion:
    """The version of a network that carries the tag ``champion``; asked again and again, it reads one tag."""

    network: str
    _folders: dict[str, Path] = field(default_factory=dict)

    def champion(self) -> Champion:
        """Name the champion; its files are brought here once.

        Raises
        ------
        NetopsError
            If there is none.
        """
        model = registry.the_champion(self.network)
        if model.version not in self._folders:
            self._folders[model.version] = local_model(model.uri)
        return Champion(model.version, self._folders[model.version])
