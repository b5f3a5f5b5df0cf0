"""Certificates are made anew in time."""

import datetime

from tests.plugins.tls.conftest import TlsProject
from tests.plugins.tls.test_tls_resources import CA, KEY, LEAF, certificate


def hence(hours: float) -> str:
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)).isoformat()


def test_an_expired_certificate_is_made_anew_and_nothing_else(project: TlsProject) -> None:
    project.declare(KEY, CA, LEAF)
    project.up()
    before = project.outputs()
    project.edit_state("LocallySignedCert", validityEndTime=hence(-1))
    shown = project.preview()
    assert "+-tls:index/locallySignedCert:LocallySignedCert: (replace)" in shown
    assert "readyForRenewal" in shown
    assert "+-1 to replace" in shown
    assert "1 replaced" in project.up()
    project.assert_no_change()
    after = project.outputs()
    assert {name for name in before if before[name] != after[name]} == {"leaf"}
    assert certificate(after["leaf"]).public_key() == certificate(before["leaf"]).public_key()
    assert after["leaf"]["ready_for_renewal"] is False


def test_a_certificate_is_made_anew_before_it_expires(project: TlsProject) -> None:
    early = CA.replace("validity_period_hours", "early_renewal_hours=3, validity_period_hours")
    project.declare(KEY, early)
    project.up()
    project.edit_state("SelfSignedCert", validityEndTime=hence(3.1))
    project.assert_no_change()
    project.edit_state("SelfSignedCert", validityEndTime=hence(2.9))
    assert "+-1 to replace" in project.preview()
    serial = project.outputs()["ca"]["id"]
    project.up()
    assert project.outputs()["ca"]["id"] != serial
    project.assert_no_change()


def test_a_new_authority_signs_its_leaves_again_with_the_same_key(project: TlsProject) -> None:
    project.declare(KEY, CA, LEAF)
    project.up()
    before = project.outputs()
    project.edit_state("SelfSignedCert", validityEndTime=hence(-1))
    assert "+-2 to replace" in project.preview()
    project.up()
    after = project.outputs()
    assert {name for name in before if before[name] != after[name]} == {"ca", "leaf"}
    # Who trusts the old certificate of the authority trusts the new leaf: it is the same key.
    certificate(after["leaf"]).verify_directly_issued_by(certificate(before["ca"]))


def test_a_refresh_says_that_a_certificate_is_ready(project: TlsProject) -> None:
    project.declare(KEY, CA)
    project.up()
    assert "unchanged" in project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    project.edit_state("SelfSignedCert", validityEndTime=hence(-1))
    project.pulumi("refresh", "--yes", "--skip-preview")
    assert project.state("SelfSignedCert")["outputs"]["readyForRenewal"] is True
    project.up()
    assert project.outputs()["ca"]["ready_for_renewal"] is False
    project.assert_no_change()


def test_another_time_of_renewal_keeps_the_certificate(project: TlsProject) -> None:
    project.declare(KEY, CA)
    project.up()
    before = project.outputs()["ca"]
    project.declare(KEY, CA.replace("validity_period_hours", "early_renewal_hours=3, validity_period_hours"))
    shown = project.preview()
    assert "~ tls:index/selfSignedCert:SelfSignedCert: (update)" in shown
    assert "+ earlyRenewalHours: 3" in shown
    project.up()
    assert project.outputs()["ca"] == before | {"early_renewal_hours": 3}


def test_a_time_of_renewal_that_has_come_already_makes_another_one(project: TlsProject) -> None:
    project.declare(KEY, CA)
    project.up()
    project.declare(KEY, CA.replace("validity_period_hours", "early_renewal_hours=10, validity_period_hours"))
    assert "+-1 to replace" in project.preview()


def test_a_renewal_can_be_put_off(project: TlsProject) -> None:
    project.declare(KEY, CA.replace("max_path", "opts=Options(ignore_changes=['readyForRenewal']), max_path"))
    project.up()
    project.edit_state("SelfSignedCert", validityEndTime=hence(-1))
    project.assert_no_change()


def test_the_state_of_the_official_plugin_is_understood(project: TlsProject) -> None:
    project.declare(KEY, CA)
    project.up()
    end = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=2))) + datetime.timedelta(hours=1)
    # As Go writes times, in the machine's time zone; and what Pulumi's bridge to Terraform adds.
    official = end.strftime("%Y-%m-%dT%H:%M:%S.123456789+02:00")
    project.edit_state("SelfSignedCert", validityEndTime=official, __meta="{}")
    project.assert_no_change()
