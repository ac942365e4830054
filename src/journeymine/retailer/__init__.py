"""A believable omnichannel retailer, simulated: raw files, the clean log, and the truth behind both.

With facts planted, or as the null case without them. Every function is pure and gives the same answer for the same
arguments; see ``docs/sample-data.md``.
"""

from __future__ import annotations

from journeymine.retailer.entry import SampleManifest, generate, planted_in, sample, true_journeys, write_sample

__all__ = ["SampleManifest", "generate", "planted_in", "sample", "true_journeys", "write_sample"]
