"""The definition of the features in plain NumPy, sample by sample: slow, and independent of the kernel."""

import math

import numpy as np

UNKNOWN = math.nan, math.nan


def features(spec, times, values, rows=None):
    """Feature vectors of one device (rows × columns), and what their rounding is relative to."""
    pairs = [_row(spec, times, values, i) for i in (range(len(times)) if rows is None else rows)]
    both = np.array(pairs, dtype=float).reshape(len(pairs), len(spec.names), 2)
    return both[:, :, 0], both[:, :, 1]


def assert_close(spec, times, values, found, tolerance=1e-9):
    """Compare feature vectors of one device with the definition."""
    wanted, scale = features(spec, times, values)
    assert found.shape == wanted.shape
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    off = np.nan_to_num(np.abs(found - wanted)) / np.maximum(np.nan_to_num(scale), 1e-300)
    row, column = np.unravel_index(np.argmax(off), off.shape) if off.size else (0, 0)
    where = (
        f"{spec.names[column]} at {row}: {found[row, column]!r}, should be {wanted[row, column]!r}"
        if off.size
        else ""
    )
    assert off.max(initial=0) <= tolerance, where


def _row(spec, times, values, i):
    row = []
    for m in range(len(spec.metrics)):
        row.append(_same(values[i, m] if math.isfinite(values[i, m]) else math.nan))
        for window in spec.windows:
            inside = (times > times[i] - window) & (times <= times[i])
            t, v = times[inside], values[inside, m]
            valid = np.isfinite(v)
            row += [_statistic(name, t[valid], v[valid], times[i]) for name in spec.plain]
            row.append(_same((~valid).sum() / len(valid)))
        row += _relative(spec, times[: i % len(times) + 1], values[: i % len(times) + 1, m])
    return row


def _relative(spec, times, values):
    """Relative statistics at the newest of the samples, of values less one of them: exact far from zero."""
    longest = max(spec.windows)
    t, past = times[times > times[-1] - longest], _valid(times, values, longest)
    level = past[0] if len(past) else 0.0
    x, noise = values[-1].astype(np.longdouble) - level, 1e-12 * (abs(past.mean()) if len(past) else 0)
    past = past - level
    known = (t[-1] - t[0]) * len(t) >= 0.9 * longest * (len(t) - 1) and len(past) > 1
    found = []
    for name, window in spec.relative:
        if name.startswith("baseline"):
            found.append(_beside_baseline(spec, times, values, name, window))
            continue
        v = np.array([x]) if window is None else _valid(times, values, window) - level
        if len(v) == 0 or not (known or name == "residual") or not np.isfinite(x if window is None else 0):
            found.append(UNKNOWN)
        elif name == "residual":
            found.append((float(x - v.mean()), np.abs(v).max()) if np.isfinite(x) else UNKNOWN)
        else:
            found.append(_RELATIVE[name](v, past, noise))
    return found


def _beside_baseline(spec, times, values, name, window):
    """Compare a value, or a window, with the baseline of all earlier samples, weighted one by one."""
    seen, level, spread = baseline(times[:-1], values[:-1], 4 * max(spec.windows))
    v = values[-1:][np.isfinite(values[-1:])] if window is None else _valid(times, values, window)
    if seen < max(2, len(_valid(times, values, max(spec.windows)))) or len(v) < 1 + (name == "baseline_std_ratio"):
        return UNKNOWN
    noise = 1e-12 * abs(level)
    if name == "baseline_std_ratio":
        ratio = v.std(ddof=1) / (spread + noise + 1e-300)
        return (0.0 if v.std() == spread == 0 else float(min(np.log((ratio + 1e-3) / 1.001), 20))), 20.0
    off = np.longdouble((v - level).mean())
    return (float(np.clip(off / (spread + noise + 1e-300), -20, 20)) if off else 0.0), 20.0


def baseline(times, values, half_life):
    """Return number, mean and standard deviation of the valid values, weights halving with time."""
    seen, level, variance, last = 0, 0.0, 0.0, 0
    for time, x in zip((times // 1000).tolist(), values.tolist(), strict=True):
        if math.isfinite(x) and abs(x) <= 1e150:
            share = max(1 - 2 ** (-(time - last) / (half_life / 1000)), 1 / (seen + 1))
            off = x - level
            if seen > 50 and variance > 0:
                off = min(max(off, -4 * math.sqrt(variance)), 4 * math.sqrt(variance))
            level += share * off
            variance = (1 - share) * (variance + share * off * off)
            seen, last = seen + 1, time
    return seen, level, math.sqrt(variance)


def _valid(times, values, window):
    v = values[times > times[-1] - window]
    return v[np.isfinite(v)].astype(np.longdouble)


def _deviation(off, past, noise):
    return (float(np.clip(off / (past.std(ddof=1) + noise), -20, 20)) if off else 0.0), 20.0


def _std_ratio(v, past, noise):
    if len(v) < 2:
        return UNKNOWN
    own, reference = v.std(ddof=1), past.std(ddof=1)
    return (0.0 if own == reference == 0 else float(np.log((own / (reference + noise) + 1e-3) / 1.001))), 1.0


def _same(value):
    return value, abs(value)


def _statistic(name, t, v, now):
    if name == "count":
        return _same(len(v))
    if len(v) == 0:
        return math.nan, math.nan
    if name.startswith("above_"):
        return _same(np.mean(v > float(name.split("_")[1])))
    return _PLAIN[name](t, v.astype(np.longdouble), now)


def _std(t, v, now):
    return _same(float(np.sqrt(((v - v.mean()) ** 2).sum() / (len(v) - 1))) if len(v) > 1 else 0.0)


def _slope(t, v, now):
    if len(v) == 1:
        return 0.0, 0.0
    seconds = (t - t[0]).astype(np.longdouble) / 10**9
    seconds -= seconds.mean()
    spread = (seconds**2).sum()
    off = v - v.mean()
    return float((seconds * off).sum() / spread), float(np.sqrt((off**2).sum() / spread))


def _last_change(t, v, now):
    begin = len(v) - 1
    while begin > 0 and v[begin - 1] == v[-1]:
        begin -= 1
    return _same((now - t[begin]) / 1e9)


_PLAIN = {
    "mean": lambda t, v, now: (float(v.mean()), float(np.abs(v).mean())),
    "min": lambda t, v, now: _same(float(v.min())),
    "max": lambda t, v, now: _same(float(v.max())),
    "std": _std,
    "sum": lambda t, v, now: (float(v.sum()), float(np.abs(v).sum())),
    "range": lambda t, v, now: _same(float(v.max() - v.min())),
    "slope": _slope,
    "last_change": _last_change,
}
_RELATIVE = {
    "shift": lambda v, past, noise: (float(v.mean() - past.mean()), np.abs(past - past.mean()).max()),
    "deviation": lambda v, past, noise: _deviation(v.mean() - past.mean(), past, noise),
    "max_deviation": lambda v, past, noise: _deviation(v.max() - past.mean(), past, noise),
    "min_deviation": lambda v, past, noise: _deviation(v.min() - past.mean(), past, noise),
    "std_ratio": _std_ratio,
}
