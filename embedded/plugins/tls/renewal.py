"""When a certificate is to be made anew."""

import datetime
from typing import Any

READY = "readyForRenewal"
"""The output that says so; to the engine, it is what replaces the certificate."""


def is_due(state: dict[str, Any], early_renewal_hours: int) -> bool:
    """Whether a certificate has expired, or will within ``early_renewal_hours``.

    Args:
        state: The outputs of the certificate; ``validityEndTime`` is in RFC 3339, and missing in one that was got from
            elsewhere without it.
        early_renewal_hours: As the program has them now, which may not be as they were.
    """
    if "validityEndTime" not in state:
        return False
    end = datetime.datetime.fromisoformat(state["validityEndTime"])
    return datetime.datetime.now(datetime.UTC) >= end - datetime.timedelta(hours=early_renewal_hours)
