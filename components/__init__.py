"""One MLRun function per stage: each reads its inputs, calls the library, and logs the results."""
