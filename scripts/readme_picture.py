"""Draw docs/images/map.png, the picture in the README: the journey map of the sample data, as a browser shows it.

python scripts/readme_picture.py            # needs a Chromium on the PATH
python scripts/readme_picture.py --still    # without a browser: the map's own PNG (extra `maps`)
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import journeymine as jm

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "map.png"
WIDTH, HEIGHT = 1440, 1660
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip


def main() -> int:
    """Write the picture; 1 where there is no browser."""
    shown = jm.journey_map(jm.build_journeys(jm.sample()), title="An omnichannel retailer", scenario="sample data")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    if "--still" in sys.argv[1:]:
        shown.save(PICTURE)
        return 0
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        print("no Chromium found; --still draws without one", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        page = shown.save(Path(folder) / "map.html")
        subprocess.run(
            [browser, *QUIET, f"--user-data-dir={folder}/profile", f"--window-size={WIDTH},{HEIGHT}",
             f"--screenshot={PICTURE}", page.as_uri()],
            check=True, capture_output=True,
        )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
