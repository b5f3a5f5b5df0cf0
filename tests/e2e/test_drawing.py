"""The drawn dependency graph is that of the stack that runs."""

import json

from docs.graph import PICTURES, dot, mark
from tests.checkout import Checkout


def test_what_is_drawn_is_what_the_engine_recorded(site: Checkout) -> None:
    exported = site.pulumi("stack", "export")
    assert exported.returncode == 0, exported.stderr
    drawn_from = mark(dot(json.loads(exported.stdout)["deployment"]["resources"]))
    for picture in PICTURES:
        assert drawn_from in picture.read_text(encoding="utf-8")
