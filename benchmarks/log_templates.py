"""Grouping accuracy of the templates on loghub's labelled samples, with Drain's published figures.

    python -m benchmarks.log_templates FOLDER

FOLDER has ``HDFS/HDFS_2k.log_structured.csv`` and so on, as https://github.com/logpai/loghub has them. A message is
grouped correctly if its template has exactly the messages that its label has. The published figures (J. Zhu et al.,
"Tools and Benchmarks for Automated Log Parsing", ICSE 2019) were obtained with masks and thresholds chosen for each
system; ours are with the default settings for all of them.
"""

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from netops.logs.templates.miner import Templates

PUBLISHED = {
    "HDFS": 0.9975,
    "Hadoop": 0.9475,
    "Spark": 0.92,
    "Zookeeper": 0.9665,
    "BGL": 0.9625,
    "HPC": 0.887,
    "Thunderbird": 0.955,
    "Windows": 0.997,
    "Linux": 0.69,
    "Android": 0.911,
    "HealthApp": 0.78,
    "Apache": 1.0,
    "Proxifier": 0.5265,
    "OpenSSH": 0.7875,
    "OpenStack": 0.7325,
    "Mac": 0.7865,
}


def accuracy(found: Iterable[int], labels: Iterable[str]) -> float:
    """Give the share of the messages whose group is that of their label."""
    groups, wanted, count = defaultdict(set), defaultdict(set), 0
    for count, (number, label) in enumerate(zip(found, labels, strict=True), 1):
        groups[number].add(count)
        wanted[label].add(count)
    right = {frozenset(messages) for messages in wanted.values()}
    return sum(len(messages) for messages in groups.values() if messages in right) / count


def sample(path: Path) -> tuple[list[str], list[str]]:
    """Read messages and labels."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["Content"] for row in rows], [row["EventId"] for row in rows]


def main(words: Sequence[str]) -> int:
    """Print a line per system, and the means."""
    if len(words) != 1:
        print("usage: python -m benchmarks.log_templates FOLDER", file=sys.stderr)
        return 2
    ours = {}
    for system, published in PUBLISHED.items():
        messages, labels = sample(Path(words[0]) / system / f"{system}_2k.log_structured.csv")
        templates = Templates()
        templates.learn(messages)
        ours[system] = accuracy(templates.find(messages).tolist(), labels)
        print(json.dumps({"system": system, "ours": round(ours[system], 4), "drain": published}), flush=True)
    means = {"ours": sum(ours.values()) / len(ours), "drain": sum(PUBLISHED.values()) / len(PUBLISHED)}
    reached = sum(ours[system] >= published for system, published in PUBLISHED.items())
    print(json.dumps({"mean": {name: round(mean, 4) for name, mean in means.items()}, "reached": reached}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
