"""The policy pack over the preview of the real stack, as CI runs it."""

from __future__ import annotations

from tests.checkout import Checkout


def test_the_stack_follows_the_rules(site: Checkout) -> None:
    done = site.pulumi("preview", "--policy-pack", "policy")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✅ inspiration@v1.0.0" in done.stdout
    # Everything is known after an update, so nothing was left unjudged.
    assert "[advisory]" not in done.stdout


def test_a_change_that_breaks_a_rule_fails_the_preview(site: Checkout) -> None:
    manifests = site.path / "components" / "manifests.py"
    before = manifests.read_text()
    after = before.replace('"readOnlyRootFilesystem": True', '"readOnlyRootFilesystem": False')
    assert after != before
    manifests.write_text(after)
    try:
        done = site.pulumi("preview", "--policy-pack", "policy")
    finally:
        manifests.write_text(before)
    assert done.returncode != 0
    assert "[mandatory]  read-only-root  (kubernetes:apps/v1:Deployment: inspiration-deployment)" in done.stdout
    assert (
        "Deployment inspiration/inspiration: container site: its root file system is writable; "
        "set securityContext.readOnlyRootFilesystem: true and mount an emptyDir where it writes"
    ) in done.stdout
