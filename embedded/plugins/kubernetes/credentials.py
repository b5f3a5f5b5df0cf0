"""How a connection proves who it is: TLS settings and request headers from a kubeconfig's user and cluster."""

import asyncio
import base64
import json
import os
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .errors import Json, PluginError
from .kubeconfig import Connection

# A token is asked for anew this long before it ends, so that it doesn't end on the way.
_MARGIN = timedelta(seconds=60)


class Credentials:
    """Credentials of one connection; those of an exec plugin are fetched when first needed and renewed in time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()
        self._granted: Json | None = None
        """``status`` of the exec plugin's ``ExecCredential``."""

    async def tls(self) -> ssl.SSLContext | bool:
        """TLS settings: the cluster's authority and the client certificate, if any.

        Raises:
            PluginError: A certificate or key can't be read.
        """
        cluster, user = self._connection.cluster, self._connection.user
        try:
            authority = _content(cluster, "certificate-authority")
            context = ssl.create_default_context(cadata=authority)
            if cluster.get("insecure-skip-tls-verify"):
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            granted = await self._exec()
            certificate = granted.get("clientCertificateData") or _content(user, "client-certificate")
            key = granted.get("clientKeyData") or _content(user, "client-key")
            if certificate and key:
                # The ssl module reads key pairs from files only; this one is private (0600) and gone at once.
                with tempfile.NamedTemporaryFile("w", prefix="pulumi-kubernetes-") as pair:
                    pair.write(f"{certificate}\n{key}\n")
                    pair.flush()
                    context.load_cert_chain(pair.name)
        except (OSError, ssl.SSLError, ValueError) as error:
            raise PluginError(f"{self._connection.source}: a certificate or key can't be used: {error}") from None
        return context

    async def headers(self) -> dict[str, str]:
        """The ``Authorization`` header, if the user has a token or a password."""
        user = self._connection.user
        if path := user.get("tokenFile"):
            try:
                # Read each time: kubelet renews these files.
                return {"Authorization": f"Bearer {Path(path).read_text().strip()}"}
            except OSError as error:
                raise PluginError(f"{self._connection.source}: the token file can't be read: {error}") from None
        token = (await self._exec()).get("token") or user.get("token")
        if token:
            return {"Authorization": f"Bearer {token}"}
        if user.get("username"):
            pair = f"{user['username']}:{user.get('password', '')}"
            return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        return {}

    async def _exec(self) -> Json:
        spec = self._connection.user.get("exec")
        if not spec:
            return {}
        async with self._lock:
            if self._granted is None or _ends_soon(self._granted):
                self._granted = await self._run(spec)
            return self._granted

    async def _run(self, spec: Json) -> Json:
        """Run a credential plugin (Kubernetes documentation, "client-go credential plugins")."""
        command = [str(spec.get("command")), *(spec.get("args") or [])]
        request = {"kind": "ExecCredential", "apiVersion": spec.get("apiVersion"), "spec": {"interactive": False}}
        environment = os.environ | {entry["name"]: entry["value"] for entry in spec.get("env") or []}
        environment["KUBERNETES_EXEC_INFO"] = json.dumps(request)
        where = f"{self._connection.source}: the credential plugin {command[0]!r}"
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *command, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
            )
        except OSError as error:
            hint = spec.get("installHint") or "install it, or use another user in the kubeconfig"
            raise PluginError(f"{where} can't be started ({error.strerror}): {hint}") from None
        output, complaint = await process.communicate()
        if process.returncode:
            said = (complaint.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise PluginError(f"{where} failed with exit code {process.returncode}: {said}")
        try:
            status = json.loads(output)["status"]
        except (ValueError, KeyError, TypeError):
            raise PluginError(f"{where} printed no ExecCredential with a status") from None
        return dict(status)


def _content(entry: Json, key: str) -> str | None:
    """A PEM text: from ``key-data`` in base64, else from the file that ``key`` names."""
    if data := entry.get(f"{key}-data"):
        return base64.b64decode(data).decode()
    return Path(entry[key]).read_text() if entry.get(key) else None


def _ends_soon(granted: Json) -> bool:
    end = granted.get("expirationTimestamp")
    return end is not None and datetime.fromisoformat(end) - _MARGIN < datetime.now(UTC)
