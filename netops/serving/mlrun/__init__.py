"""The serving graph as an MLRun function: mock server, Nuclio, deployment."""
