"""When a job runs: the five fields of cron.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax
"""

import re

NICKNAMES = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
SCHEDULES = 'five fields as in cron, such as "30 4 * * *", or @hourly, @daily, @weekly, @monthly, @yearly'

_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
"""Minute, hour, day of the month, month, day of the week."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NUMBERS = {
    3: {name: number for number, name in enumerate(_MONTHS, 1)},
    4: {name: number for number, name in enumerate(_DAYS)},
}
_PART = re.compile(r"(?:\*|([0-9]{1,2}|[a-z]{3})(?:-([0-9]{1,2}|[a-z]{3}))?)(?:/([1-9][0-9]?))?")


def check_schedule(schedule: str) -> str:
    """Return ``schedule``.

    Raises:
        ValueError: Kubernetes would refuse it.
    """
    fields = schedule.lower().split()
    if schedule in NICKNAMES:
        return schedule
    if len(fields) != len(_FIELDS) or not all(_is_field(index, field) for index, field in enumerate(fields)):
        raise ValueError(schedule)
    return schedule


def _is_field(index: int, field: str) -> bool:
    return all(_is_part(index, part) for part in field.split(","))


def _is_part(index: int, part: str) -> bool:
    """Tell whether ``*``, ``*/5``, ``1-5/2`` or ``mon`` may stand in the field ``index``."""
    if not (found := _PART.fullmatch(part)):
        return False
    names = _NUMBERS.get(index, {})
    ends = [names.get(end, int(end) if end.isdigit() else -1) for end in found.group(1, 2) if end]
    least, most = _FIELDS[index]
    return all(least <= end <= most for end in ends) and ends == sorted(ends)
