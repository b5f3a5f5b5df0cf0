"""The line for everything that a site can't have of what runs in it, what it keeps, and whom it knows."""

from typing import Any

import pytest

from components.site.egress import DESTINATIONS
from components.site.schedule import SCHEDULES
from tests.unit.test_settings import load
from tests.unit.test_settings import project as project
from tests.unit.test_settings_errors import problems

VARIABLES = "a map of names (letters, digits, _, . and -, not beginning with a digit) to texts"
COMMAND = "a list of texts, the program first"
DATA = {"name": "data", "path": "/data"}
JOB = {"name": "digest", "schedule": "@daily", "command": ["digest"]}

ONE_SITE: dict[str, tuple[dict[str, Any], str]] = {
    "variables that are a list": ({"env": ["A=b"]}, f'.env: ["A=b"] given; allowed: {VARIABLES}'),
    "a variable that is a map": ({"env": {"A": {}}}, f".env.A: {{}} given; allowed: {VARIABLES}"),
    "a variable without a name": ({"env": {"": "b"}}, f'.env[""]["[key]"]: "" given; allowed: {VARIABLES}'),
    "a variable with an odd name": ({"env": {"A B": "c"}}, f'.env["A B"]["[key]"]: "A B" given; allowed: {VARIABLES}'),
    "a variable twice": (
        {"env": {"DATABASE_URL": "x"}, "database": True},
        ": the variable DATABASE_URL is given twice, by env, secretEnv or database; give it once",
    ),
    "a command that is a text": ({"command": "run"}, f'.command: "run" given; allowed: {COMMAND}'),
    "an empty command": ({"command": []}, f".command: [] given; allowed: {COMMAND}"),
    "arguments that are a text": ({"args": "-v"}, '.args: "-v" given; allowed: a list of texts'),
    "root": ({"user": 0}, ".user: 0 given; allowed: a user id, 1 to 2147483647"),
    "a user by its name": ({"user": "www-data"}, '.user: "www-data" given; allowed: a user id, 1 to 2147483647'),
    "a volume without a path": (
        {"volumes": [{"name": "data"}]},
        ".volumes[0].path: missing; allowed: an absolute path in the container, and not /",
    ),
    "a volume in place of everything": (
        {"volumes": [{"name": "data", "path": "/"}]},
        '.volumes[0].path: "/" given; allowed: an absolute path in the container, and not /',
    ),
    "a volume of two pods": (
        {"volumes": [DATA]},
        ': the volume "data" is for one pod, and replicas is 2; set replicas to 1, or shared: true on the volume if '
        "its StorageClass can do that (ReadWriteMany)",
    ),
    "a volume of an autoscaled site": (
        {"volumes": [DATA], "autoscale": {"max": 3}},
        ': the volume "data" is for one pod, and autoscale.max is 3; set autoscale.max to 1, or shared: true on the '
        "volume if its StorageClass can do that (ReadWriteMany)",
    ),
    "two volumes of a name": (
        {"replicas": 1, "volumes": [DATA, {**DATA, "path": "/other"}]},
        ': volumes has "data" twice; give each a name of its own',
    ),
    "two volumes at a path": (
        {"replicas": 1, "volumes": [DATA, {**DATA, "name": "other"}]},
        ': volumes has two for "/data"; give each a path of its own',
    ),
    "a volume in place of what goes": (
        {"replicas": 1, "volumes": [{**DATA, "path": "/tmp"}]},
        ': volumes has two for "/tmp"; give each a path of its own',
    ),
    "replicas of an autoscaled site": (
        {"replicas": 2, "autoscale": {"max": 3}},
        ": replicas and autoscale given; allowed: one of them",
    ),
    "more pods at least than at most": (
        {"autoscale": {"min": 4, "max": 3}},
        ".autoscale: min 4 is more than max 3; allowed: at most as much",
    ),
    "no most of pods": ({"autoscale": {}}, ".autoscale.max: missing; allowed: a whole number from 1 to 100"),
    "more than all of the CPU": (
        {"autoscale": {"max": 3, "cpu": 200}},
        ".autoscale.cpu: 200 given; allowed: a percentage, 1 to 100",
    ),
    "a schedule of four fields": (
        {"jobs": [{**JOB, "schedule": "0 4 * *"}]},
        f'.jobs[0].schedule: "0 4 * *" given; allowed: {SCHEDULES}',
    ),
    "a schedule at 25 o'clock": (
        {"jobs": [{**JOB, "schedule": "0 25 * * *"}]},
        f'.jobs[0].schedule: "0 25 * * *" given; allowed: {SCHEDULES}',
    ),
    "a job without a command": (
        {"jobs": [{"name": "digest", "schedule": "@daily"}]},
        f".jobs[0].command: missing; allowed: {COMMAND}",
    ),
    "two jobs of a name": ({"jobs": [JOB, JOB]}, ': jobs has "digest" twice; give each a name of its own'),
    "a destination that nobody knows": (
        {"egress": ["everywhere"]},
        f'.egress[0]: "everywhere" given; allowed: {DESTINATIONS}',
    ),
    "a port that there isn't": (
        {"egress": ["10.0.0.0/8:70000"]},
        f'.egress[0]: "10.0.0.0/8:70000" given; allowed: {DESTINATIONS}',
    ),
    "a range with bits of a host": (
        {"egress": ["10.1.2.3/8"]},
        f'.egress[0]: "10.1.2.3/8" given; allowed: {DESTINATIONS}',
    ),
    "another site that there isn't": (
        {"egress": ["site:shop"]},
        '.egress: "site:shop" given, and no other site has that name; allowed: none',
    ),
    "itself": ({"egress": ["site:a"]}, '.egress: "site:a" given, and no other site has that name; allowed: none'),
    "a database of nobody": (
        {"database": True},
        ".database: there is no database server; set inspiration:addons.postgres to true",
    ),
    "a way to a database that it hasn't got": (
        {"egress": ["database"]},
        ": egress has database, and the site has none; set database to true",
    ),
    "a redirect to a host of somebody else": (
        {"host": "a.com", "redirects": [{"from": "www.a.com", "to": "b.com"}]},
        ': redirects lead to "b.com", which the site doesn\'t serve; allowed: a.com',
    ),
    "a redirect to itself": (
        {"host": "a.com", "redirects": [{"from": "a.com", "to": "a.com"}]},
        ': "a.com" is among its hosts and redirects twice; give each once',
    ),
    "a host twice": (
        {"host": "a.com", "hosts": ["a.com"]},
        ': "a.com" is among its hosts and redirects twice; give each once',
    ),
    "an authority that nobody named": (
        {"tls": "acme"},
        ".tls: acme given, and there is no inspiration:addons.cert.acme; give that an email, or set tls to true",
    ),
    "an authority that there isn't": ({"tls": "letsencrypt"}, '.tls: "letsencrypt" given; allowed: true, false, acme'),
}


@pytest.mark.parametrize(("site", "line"), ONE_SITE.values(), ids=ONE_SITE)
def test_a_site_that_cant_be_is_one_line(site: dict[str, Any], line: str) -> None:
    assert problems({"sites": [{"name": "a", **site}]}) == [f"sites[0]{line}"]


def test_all_that_contradicts_itself_is_said_at_once() -> None:
    of_one = ("replicas of an autoscaled site", "a way to a database that it hasn't got", "two volumes at a path")
    site: dict[str, Any] = {"name": "a"}
    for name in of_one:
        site |= ONE_SITE[name][0]
    expected = [f"sites[0]{ONE_SITE[name][1]}" for name in of_one]
    found = problems({"sites": [site, {"name": "b", "source": "site", "image": f"e.io/b@sha256:{0:064}"}]})
    assert sorted(found) == sorted(
        [
            *expected,
            'sites[0]: the volume "data" is for one pod, and autoscale.max is 3; set autoscale.max to 1, or shared: '
            "true on the volume if its StorageClass can do that (ReadWriteMany)",
            "sites[1]: source and image given; allowed: one of them",
        ]
    )


def test_all_of_it_can_be() -> None:
    sites = [
        {
            "name": "shop",
            "host": "example.com",
            "hosts": ["example.org"],
            "redirects": [{"from": "www.example.com", "to": "example.com"}],
            "tls": "acme",
            "autoscale": {"max": 4},
            "env": {"PORT": 8080, "DEBUG": False, "NAME": "shop"},
            "volumes": [{**DATA, "shared": True, "storageClass": "nfs"}],
            "database": True,
            "egress": ["internet", "site:blog", "10.0.0.0/8:5432,5433", "fd00::/8", "[fd00::/8]:443"],
            "jobs": [
                {**JOB, "schedule": schedule, "name": f"job-{index}"}
                for index, schedule in enumerate(SCHEDULES_THAT_ARE)
            ],
            "user": 1000,
        },
        {"name": "blog"},
    ]
    addons = {"cert": {"acme": {"email": "me@example.com"}}, "postgres": True}
    shop = load({"sites": sites, "addons": addons}).sites[0]
    assert shop.env == {"PORT": "8080", "DEBUG": "false", "NAME": "shop"}
    assert shop.reached_by == ["example.com", "example.org", "www.example.com"]


SCHEDULES_THAT_ARE = ("30 4 * * *", "*/5 * * * mon-fri", "0 0 1,15 jan-jun/2 *", "@hourly", "59 23 31 12 7")
