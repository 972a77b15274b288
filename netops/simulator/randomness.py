"""Counter-based random numbers: each is addressed by a key and an index.

Every number is a hash of a key (seed, device, purpose) and an index (the absolute tick, the number of an event), so
that any device and any time range can be drawn separately, with the same result.
"""

import math

import numpy as np

from netops.kernels import kernel

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_S12, _S27, _S30, _S31 = np.uint64(12), np.uint64(27), np.uint64(30), np.uint64(31)

#: Purposes of keys: streams of different purposes are independent.
DEVICE, SITE, TRAFFIC, LEVEL, EVENTS, LOOKALIKES, DRIFT, FAULTS, STATIC, METRICS = range(1, 11)


@kernel(error_model="numpy")
def _mix(z: np.uint64) -> np.uint64:
    """SplitMix64's finaliser (Steele, Lea, Flood 2014)."""
    z = (z ^ (z >> _S30)) * _FIRST
    z = (z ^ (z >> _S27)) * _SECOND
    return z ^ (z >> _S31)


@kernel(error_model="numpy")
def derive(key: np.uint64, number: int) -> np.uint64:
    """Derive the key of a device, a purpose or a metric from its parent key."""
    return _mix(_mix(key + _GOLDEN) + np.uint64(number) * _FIRST)


@kernel(error_model="numpy")
def uniform(key: np.uint64, index: int) -> float:
    """Draw from (0, 1), both ends excluded."""
    return (float(_mix(key + np.uint64(index) * _GOLDEN) >> _S12) + 0.5) * 2.0**-52


@kernel(error_model="numpy")
def normal(key: np.uint64, index: int) -> float:
    """Draw from the standard normal distribution."""
    return quantile(uniform(key, index))


@kernel(error_model="numpy")
def quantile(p: float) -> float:
    """Return the standard normal quantile of p in (0, 1).

    Algorithm AS 241 (Wichura 1988), relative error about 1e-16.
    """
    q = p - 0.5
    if abs(q) <= 0.425:
        return q * _centre(0.180625 - q * q)
    r = math.sqrt(-math.log(min(p, 1.0 - p)))
    x = _shoulder(r - 1.6) if r <= 5.0 else _tail(r - 5.0)
    return -x if q < 0.0 else x


@kernel(error_model="numpy")
def _centre(r: float) -> float:
    top = 3.3430575583588128105e4 + r * 2.5090809287301226727e3
    top = 1.3731693765509461125e4 + r * (4.5921953931549871457e4 + r * (6.7265770927008700853e4 + r * top))
    top = 3.3871328727963666080 + r * (1.3314166789178437745e2 + r * (1.9715909503065514427e3 + r * top))
    low = 2.8729085735721942674e4 + r * 5.2264952788528545610e3
    low = 5.3941960214247511077e3 + r * (2.1213794301586595867e4 + r * (3.9307895800092710610e4 + r * low))
    low = 1.0 + r * (4.2313330701600911252e1 + r * (6.8718700749205790830e2 + r * low))
    return top / low


@kernel(error_model="numpy")
def _shoulder(r: float) -> float:
    top = 2.27238449892691845833e-2 + r * 7.74545014278341407640e-4
    top = 3.64784832476320460504 + r * (1.27045825245236838258 + r * (2.41780725177450611770e-1 + r * top))
    top = 1.42343711074968357734 + r * (4.63033784615654529590 + r * (5.76949722146069140550 + r * top))
    low = 5.47593808499534494600e-4 + r * 1.05075007164441684324e-9
    low = 6.89767334985100004550e-1 + r * (1.48103976427480074590e-1 + r * (1.51986665636164571966e-2 + r * low))
    low = 1.0 + r * (2.05319162663775882187 + r * (1.67638483018380384940 + r * low))
    return top / low


@kernel(error_model="numpy")
def _tail(r: float) -> float:
    top = 2.71155556874348757815e-5 + r * 2.01033439929228813265e-7
    top = 2.96560571828504891230e-1 + r * (2.65321895265761230930e-2 + r * (1.24266094738807843860e-3 + r * top))
    top = 6.65790464350110377720 + r * (5.46378491116411436990 + r * (1.78482653991729133580 + r * top))
    low = 1.42151175831644588870e-7 + r * 2.04426310338993978564e-15
    low = 1.48753612908506148525e-2 + r * (7.86869131145613259100e-4 + r * (1.84631831751005468180e-5 + r * low))
    low = 1.0 + r * (5.99832206555887937690e-1 + r * (1.36929880922735805310e-1 + r * low))
    return top / low


def key_of(seed: int, *path: int) -> np.uint64:
    """Derive a key from a seed (any integer) and a path of numbers."""
    key = np.uint64(seed % 2**64)
    for number in path:
        key = np.uint64(derive(key, number))
    return key
