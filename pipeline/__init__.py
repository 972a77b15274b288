"""The way of the data as Kubeflow pipelines.

``main`` generates telemetry, ``retrain`` reads it from a source, ``score`` only scores it.
"""
