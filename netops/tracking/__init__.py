"""MLRun's run database on SQLite, for work without an MLRun service.

``install.install()`` puts it into MLRun; ``database.open_database()`` opens one file. Only ``install`` and
``processes`` are light to import: every other module of this package imports MLRun.
"""
