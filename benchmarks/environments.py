"""Tools that get an environment of their own: their licences or their needs do not go with ours.

They are installed and run as programs; nothing of ours imports them and nothing of theirs ships with us.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

__all__ = ["TOOLS", "Tool", "python_of"]


@dataclass(frozen=True)
class Tool:
    """A tool apart: its name, what pip installs, and the module with its cases."""

    name: str
    requirements: tuple[str, ...]
    module: Path


_HERE = Path(__file__).parent / "foreign"
TOOLS = (
    Tool("pm4py", ("pm4py==2.7.23", "pyarrow"), _HERE / "with_pm4py.py"),
    Tool("retentioneering", ("retentioneering==5.2.4", "pyarrow"), _HERE / "with_retentioneering.py"),
)


def python_of(tool: Tool, folder: Path) -> Path | str:
    """The interpreter of the tool's environment below `folder`, made if need be; or why there is none."""
    home = folder / tool.name
    python = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    ready = home / "ready"
    if ready.exists():
        return python
    venv.create(home, with_pip=True, clear=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *tool.requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        return f"{tool.name} could not be installed: {last}"
    ready.touch()
    return python
