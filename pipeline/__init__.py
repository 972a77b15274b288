"""The way of the data as Kubeflow pipelines.

``main`` generates telemetry, ``retrain`` takes it from a source, ``score`` only scores it.
"""
