"""The deployed code of the Nuclio function; everything else comes from the package in the image."""

from netops.serving.mlrun.nuclio_worker import handler, init_context

__all__ = ["handler", "init_context"]
