"""Where ``netops serve`` looks up which model it should serve: the registry, which knows what else there is."""

from dataclasses import dataclass

from netops import registry
from netops.serving import registered


@dataclass
class RegisteredChampion(registered.RegisteredChampion):
    """The champion of a network by its records; they are read when the tag, which is cheap to read, has moved."""

    _seen: tuple[str, str] | None = None
    _champion: tuple[str, str] | None = None

    def look(self) -> tuple[str, str]:
        """Give the version and the ``store://`` address; where there is none, say what to do."""
        tagged = self._tagged(registered.CHAMPION)
        if self._champion is None or tagged != self._seen:
            model = registry.the_champion(self.network)
            self._seen, self._champion = tagged, (model.version, model.uri)
        return self._champion
