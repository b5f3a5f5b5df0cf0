"""PostgreSQL's Kubernetes objects, as data.

The image has Debian's package or upstream's, which have the same programs in the same places. Of the scripts that
upstream's has besides, none is used.
"""

import hashlib
from collections.abc import Mapping

import pulumi

from components import manifests
from components.addons.dns import asked_at
from components.addons.postgres import NAMESPACE
from components.manifests import (
    CONTAINER_SECURITY,
    POD_SECURITY,
    Manifest,
    allow_from,
    labels,
    metadata,
    opaque_secret,
    selector,
)

IMAGE = "docker.io/library/postgres:15-bookworm"
NAME = "postgres"
JOB = "postgres-database"
"""Name, as in labels, of what makes a site's database."""
PORT = 5432
USER = 999
"""User and group ``postgres`` of upstream's image. The server's superuser has the same name."""
PROGRAMS = "/usr/lib/postgresql/15/bin"
VOLUME = "/data"
DATA = f"{VOLUME}/15"
"""The server's, by major version, beside which `DUMP` may be."""
DUMP = f"{VOLUME}/dump.sql"
"""What ``pg_dumpall`` wrote, to be loaded into a server that has no data yet."""
SECRET = "/etc/postgresql-superuser"  # noqa: S105 a folder
PASSWORD = "password"  # noqa: S105 a key
DATABASE_URL = "DATABASE_URL"
SOCKET = "/var/run/postgresql"

INITIALIZE = f"""\
umask 077
rm -rf {DATA}.partial
if ! [ -e {DATA} ]; then
  initdb --pgdata={DATA}.partial --username=postgres --pwfile={SECRET}/{PASSWORD} --encoding=UTF8 --locale=C.UTF-8 \\
    --auth-local=peer --auth-host=scram-sha-256 --data-checksums
  if [ -e {DUMP} ]; then
    pg_ctl --pgdata={DATA}.partial --options="-c listen_addresses=''" --log=/tmp/log --timeout=600 --wait start
    # One role is there already, and comes first in the dump.
    sed '0,/^CREATE ROLE postgres;$/{{//d}}' {DUMP} |
      psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --output=/dev/null --dbname=postgres
    pg_ctl --pgdata={DATA}.partial --mode=fast --timeout=600 --wait stop
  fi
  mv {DATA}.partial {DATA}
  sync --file-system {VOLUME}
  rm -f {DUMP}
fi
cat > {DATA}/pg_hba.conf <<END
local all postgres peer
host all postgres all scram-sha-256
host sameuser all all scram-sha-256
END
printf "ALTER ROLE postgres PASSWORD '%s'\\n" "$(cat {SECRET}/{PASSWORD})" |
  postgres --single -D {DATA} -c exit_on_error=on -c log_min_error_statement=panic postgres > /tmp/log
"""
"""Has data in the volume: that which is there, or what a dump has, or none.

Users but the superuser reach the database of their name only. The superuser's password is that of the Secret: who has
lost Pulumi's state gets another one.

Source: https://www.postgresql.org/docs/15/auth-pg-hba-conf.html
"""

CREATE = """\
until pg_isready --quiet --timeout=5; do sleep 1; done
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname=postgres <<'END'
\\getenv name DATABASE
\\getenv password DATABASE_PASSWORD
-- Of statements that fail, the log has the text.
SET log_min_error_statement = panic;
SELECT format('CREATE ROLE %I', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \\gexec
ALTER ROLE :"name" LOGIN PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \\gexec
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
END
"""
"""Makes a role and a database of its name, unless they are there, and sets the role's password."""

TAKEN = ("none", "public", "template0", "template1")
"""Names of sites that no role or database can have."""


def role(site: str) -> str:
    """Return the name of a site's database and of its user: the site's, where PostgreSQL has no other use for it."""
    return f"site_{site}" if site in TAKEN else site


def url(site: str, password: str) -> str:
    """Return the URL of a site's database."""
    return f"postgresql://{role(site)}:{password}@{NAME}.{NAMESPACE}.svc:{PORT}/{role(site)}"


def job_name(site: str) -> str:
    """Return the name of the Job that makes a site's database, short enough for Pulumi to add its nine characters."""
    name = f"{site}-database"
    return name if len(name) <= 54 else f"{site[:45]}-{hashlib.sha256(site.encode()).hexdigest()[:8]}"


def secret(ns: pulumi.Input[str], files: Mapping[str, pulumi.Input[str]], site: str = NAME) -> Manifest:
    """Return a Secret under a name that Pulumi gives it: when it is replaced, pods that use it are renewed."""
    manifest = opaque_secret(site, ns, "postgres", files)
    return {**manifest, "metadata": _unnamed(manifest["metadata"]), "immutable": True}


def volume_claim(ns: pulumi.Input[str], size: str, storage_class: pulumi.Input[str] | None) -> Manifest:
    """Return the claim of the volume that holds the databases."""
    return manifests.volume_claim(metadata(NAME, ns, "postgres"), size, storage_class)


def service(ns: pulumi.Input[str]) -> Manifest:
    """Return the Service of the server."""
    return manifests.internal_service(metadata(NAME, ns, "postgres"), NAME, "postgres", PORT)


def stateful_set(
    ns: pulumi.Input[str], account: pulumi.Input[str], claim: pulumi.Input[str], superuser: pulumi.Input[str]
) -> Manifest:
    """Return the StatefulSet of the server, of which there is never a second pod, not even where a node is lost.

    Args:
        ns: Its namespace.
        account: ServiceAccount of its pod.
        claim: PersistentVolumeClaim of its volume.
        superuser: Secret with the superuser's password.
    """
    volumes: dict[str, Manifest] = {
        "data": {"persistentVolumeClaim": {"claimName": claim}},
        "superuser": {"secret": {"secretName": superuser, "defaultMode": 0o440}},
        "socket": {"emptyDir": {}},
        "tmp": {"emptyDir": {}},
        # What the processes of one query share. By default there are 64 MiB, however much memory the pod may have.
        "shared-memory": {"emptyDir": {"medium": "Memory"}},
    }
    return {
        "metadata": metadata(NAME, ns, "postgres"),
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 3,
            "serviceName": NAME,
            "selector": {"matchLabels": selector(NAME)},
            "template": {
                "metadata": {"labels": labels(NAME, "postgres")},
                "spec": {
                    **_pod(account),
                    # By SIGINT, as the image says, it ends all connections and writes all to the volume.
                    "terminationGracePeriodSeconds": 60,
                    "initContainers": [
                        {
                            **_container("initialize"),
                            "command": ["sh", "-euc", INITIALIZE],
                            "volumeMounts": [*_mounts(), {"name": "superuser", "mountPath": SECRET, "readOnly": True}],
                        }
                    ],
                    "containers": [_server()],
                    "volumes": [{"name": volume, **source} for volume, source in volumes.items()],
                },
            },
        },
    }


def _server() -> Manifest:
    probe = {"exec": {"command": [f"{PROGRAMS}/pg_isready", "--quiet"]}, "timeoutSeconds": 10}
    return {
        **_container("postgres"),
        "command": [
            f"{PROGRAMS}/postgres",
            "-D",
            DATA,
            "-c",
            "listen_addresses=*",
            "-c",
            f"unix_socket_directories={SOCKET}",
        ],
        "ports": [{"name": "postgres", "containerPort": PORT}],
        # After a crash it goes through what was written last.
        "startupProbe": {**probe, "periodSeconds": 2, "failureThreshold": 450},
        "readinessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 2},
        "livenessProbe": {**probe, "periodSeconds": 30, "failureThreshold": 4},
        "volumeMounts": _mounts(),
    }


def job(
    site: str,
    ns: pulumi.Input[str],
    account: pulumi.Input[str],
    superuser: pulumi.Input[str],
    password: pulumi.Input[str],
) -> Manifest:
    """Return the Job that makes the database of a site. With another password, it is run again.

    Args:
        site: Name of the site.
        ns: Namespace of the server.
        account: ServiceAccount of its pod.
        superuser: Secret with the superuser's password.
        password: Secret with the password of the site.
    """

    def held(variable: str, secret: pulumi.Input[str]) -> Manifest:
        return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": PASSWORD}}}

    container = _container("database")
    variables = {"PGHOST": f"{NAME}.{NAMESPACE}.svc", "PGUSER": "postgres", "DATABASE": role(site)}
    return {
        "metadata": _unnamed(metadata(site, ns, "postgres", JOB)),
        "spec": {
            "backoffLimit": 2,
            "activeDeadlineSeconds": 300,
            "template": {
                "metadata": {"labels": labels(JOB, "postgres")},
                "spec": {
                    **_pod(account),
                    "restartPolicy": "Never",
                    "containers": [
                        {
                            **container,
                            "command": ["sh", "-euc", CREATE],
                            "env": [
                                *_variables(variables),
                                held("PGPASSWORD", superuser),
                                held("DATABASE_PASSWORD", password),
                            ],
                        }
                    ],
                },
            },
        },
    }


def server_policy(ns: pulumi.Input[str]) -> Manifest:
    """Return the NetworkPolicy that lets only `JOB` in to the server, and the server nowhere."""
    own = {
        "from": [{"podSelector": {"matchLabels": selector(JOB)}}],
        "ports": [{"port": "postgres", "protocol": "TCP"}],
    }
    return {
        "metadata": metadata(NAME, ns, "postgres"),
        "spec": {
            "podSelector": {"matchLabels": selector(NAME)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [own],
            "egress": [],
        },
    }


def site_policy(site: str, ns: pulumi.Input[str], namespace: pulumi.Input[str]) -> Manifest:
    """Return the NetworkPolicy that lets the pods of a site in to the server, too."""
    return {
        "metadata": metadata(f"site-{site}", ns, "postgres", NAME),
        "spec": {
            "podSelector": {"matchLabels": selector(NAME)},
            "policyTypes": ["Ingress"],
            "ingress": [allow_from(namespace, "postgres")],
        },
    }


def job_policy(ns: pulumi.Input[str]) -> Manifest:
    """Return the NetworkPolicy of `JOB`: to the server, and to the DNS that finds it."""
    return {
        "metadata": metadata(JOB, ns, "postgres"),
        "spec": {
            "podSelector": {"matchLabels": selector(JOB)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [],
            "egress": [
                {"to": [{"namespaceSelector": {}}], "ports": asked_at()},
                {
                    "to": [{"podSelector": {"matchLabels": selector(NAME)}}],
                    "ports": [{"port": "postgres", "protocol": "TCP"}],
                },
            ],
        },
    }


def _unnamed(meta: Manifest) -> Manifest:
    return {key: value for key, value in meta.items() if key != "name"}


def _pod(account: pulumi.Input[str]) -> Manifest:
    return {
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {**POD_SECURITY, **dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), USER)},
    }


def _container(name: str) -> Manifest:
    return {
        "name": name,
        "image": IMAGE,
        # What is in /usr/bin of the same names are Debian's scripts, which look for servers that it has set up.
        "env": _variables({"PATH": f"{PROGRAMS}:/usr/bin:/bin", "PGHOST": SOCKET}),
        # Why it failed is then in what Pulumi says.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": CONTAINER_SECURITY,
    }


def _variables(values: Mapping[str, str]) -> list[Manifest]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _mounts() -> list[Manifest]:
    places = {"data": VOLUME, "socket": SOCKET, "tmp": "/tmp", "shared-memory": "/dev/shm"}  # noqa: S108 mount points
    return [{"name": name, "mountPath": place} for name, place in places.items()]
