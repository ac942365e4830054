"""Shares as people read them: in per cent, and never as 0 % or 100 % unless they are that."""

from __future__ import annotations

__all__ = ["percent"]

_FINEST = 4
"""Most digits after the point: one journey in a million is 0.0001 %."""
_NOISE = 1e-12
"""What sums of floating-point numbers may be off by; no count is so large that one of it is so small a share."""


def percent(share: float, digits: int = 1) -> str:
    """Write a share (0–1) in per cent, without the sign.

    Where the digits asked for would say 0 or 100 of a share that is neither, there are as many more as it takes.

    Examples
    --------
    >>> [percent(share) for share in (0.2034, 0.9995, 0.99951, 0.0004, 0.0, 1.0)]
    ['20.3', '99.95', '99.95', '0.04', '0', '100']
    >>> percent(0.996, 0), percent(0.0000001), percent(0.9999999)
    ('99.6', '<0.0001', '>99.9999')
    """
    if abs(share) < _NOISE or abs(1.0 - share) < _NOISE:
        return "0" if share < 0.5 else "100"
    for places in range(digits, _FINEST + 1):
        text = f"{share * 100:.{places}f}"
        if abs(float(text)) not in (0.0, 100.0):
            return text
    return f"<{10**-_FINEST:.{_FINEST}f}" if share < 0.5 else f">{100 - 10**-_FINEST:.{_FINEST}f}"
