"""Where ``netops serve`` looks up which model it should serve: the registry, which knows what else there is."""

from netops.orchestration import registry
from netops.serving import registered


class RegisteredChampion(registered.RegisteredChampion):
    """The version of a network that carries the tag ``champion``."""

    def look(self) -> tuple[str, str]:
        """Give the version and the ``store://`` address; where there is none, say what to do."""
        model = registry.the_champion(self.network)
        return model.version, model.uri
