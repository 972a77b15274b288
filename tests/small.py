"""A network that is generated and learned from in seconds, and fails often enough for that."""

SMALL = (
    "fleet.devices=16",
    "fleet.duration=10h",
    "metrics.errors.every=4h",
    "training.families.tensorflow.enabled=false",
    "training.families.extra_trees.enabled=false",
    "training.cross_fit=never",
)
#: The same network sampled every 20 seconds, for tests of runs whose models need not be good.
SPARSE = (*SMALL, "fleet.interval=20s")
