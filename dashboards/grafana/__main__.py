"""Write the dashboards: ``python -m dashboards.grafana [FOLDER]``."""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.grafana import device, fleet, model_health, pipeline, service

FOLDER = Path(__file__).parent / "json"
PAGES = (fleet, device, service, model_health, pipeline)


def generate() -> dict[str, str]:
    """Build every dashboard.

    Returns
    -------
    dict of str to str
        JSON by file name.
    """
    return {f"{page.UID}.json": _text(page.build().build()) for page in PAGES}


def _text(built: object) -> str:
    return json.dumps(built, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def main(folder: Path) -> None:
    """Write the JSON files; those of dashboards that are no more go."""
    folder.mkdir(parents=True, exist_ok=True)
    made = generate()
    for old in set(folder.glob("*.json")) - {folder / name for name in made}:
        old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
