"""One MLRun function a stage: each reads its inputs, calls the library, and logs what came of it."""
