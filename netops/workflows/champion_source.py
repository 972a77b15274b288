"""Lookup of the model for ``netops serve`` in the registry, which also lists alternatives."""

import os
from dataclasses import dataclass

import mlrun

from netops import registry
from netops.serving.mlrun import registered
from netops.tracking import service
from netops.tracking.install import names_service


@dataclass
class RegisteredChampion(registered.RegisteredChampion):
    """The champion of a network by its records; they are read when the tag, which is cheap to read, has moved."""

    _seen: tuple[str, str] | None = None
    _champion: tuple[str, str] | None = None
    _answers: bool = False

    def look(self) -> tuple[str, str]:
        """Return the version and the ``store://`` address; if there is none, advise what to do.

        Raises
        ------
        NoChampionError
            If there is none.
        NetopsError
            If the service does not answer.
        """
        # MLRun's client tries for most of a minute: at first, and after a failure, one request is enough.
        if names_service() and not self._answers:
            service.look(os.environ["MLRUN_DBPATH"])
            mlrun.get_run_db(force_reconnect=True)  # the connection provides its settings
        self._answers = False
        tagged = self._tagged(registered.CHAMPION)
        self._answers = True
        if self._champion is None or tagged != self._seen:
            model = registry.the_champion(self.network)
            self._seen, self._champion = tagged, (model.version, model.uri)
        return self._champion
