"""The ``netops`` command: each verb in a module of its own, imported when it is called."""
