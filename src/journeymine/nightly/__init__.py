"""Night after night: the incremental state of a batch job, and its report."""

from journeymine.nightly.state import NightlyState

__all__ = ["NightlyState"]
