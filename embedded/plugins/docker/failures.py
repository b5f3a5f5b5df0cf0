"""One line for a build or a push that failed: what the Docker Engine says of it, and what to do about it."""

import re

from .image import DEFAULT_REGISTRY, Image

_FROM = re.compile(r"Step \d+/\d+ : FROM (?:--\S+ )*(\S+)", re.IGNORECASE)
_UNREACHABLE = "connection refused|no route to host|unreachable|timeout|deadline exceeded|no such host"
_NOT_LOGGED_IN = "unauthorized|denied|no basic auth|authentication required"


def may_pass(message: str) -> bool:
    """Whether a push that failed so may succeed in a moment.

    The registry's port refuses connections while it has no pod, or leads to the address of the pod that was there
    before. And what it had when the Engine asked, so that it needn't be pushed, may have been deleted since.
    """
    return re.search("connection refused|no route to host|blob unknown", message, re.IGNORECASE) is not None


def push_error(image: Image, message: str) -> str:
    """One line for what the Engine says of a push that failed, and what to do about it."""
    server = image.registry_server
    fixes = {
        _UNREACHABLE: "check that it runs, and that imageName has the right host and port",
        "HTTP response to HTTPS client|not look like a TLS handshake": "it speaks plain HTTP: add "
        f'"insecure-registries": ["{server}"] to the Engine\'s /etc/docker/daemon.json and restart it, '
        "or give the registry a certificate",
        "x509|certificate": f"copy the certificate of its authority to /etc/docker/certs.d/{server}/ca.crt",
        _NOT_LOGGED_IN: f"run `docker login {server}`, or set registry.username and registry.password",
    }
    fix = _first(message, fixes)
    text = f"pushing {image.text} to registry {server} failed: {message.strip()}"
    return f"{text}; {fix}" if fix else text


def build_error(image: Image, step: str, message: str) -> str:
    """One line for what the Engine says of a build that failed at a ``step``, and what to do about it."""
    text = f"building {image.text} from {image.context} failed at {step}: {message.strip()}"
    if not (found := _FROM.match(step)):
        return text
    first, slash, _ = found[1].partition("/")
    server = first if slash and ("." in first or ":" in first or first == "localhost") else DEFAULT_REGISTRY
    fix = _first(
        message,
        {
            "invalid reference": "correct the name of the image in the Dockerfile",
            _UNREACHABLE: f"check that the Docker Engine reaches {server}, or take the image from a registry that it "
            "reaches",
            "manifest unknown|not found": f"correct the name, tag or digest: {server} has no such image",
            _NOT_LOGGED_IN: f"correct the name if it is misspelt, else run `docker login {server}`",
        },
    )
    return f"{text}; {fix}" if fix else text


def buildkit_error(image: Image, step: str, needs: str, message: str) -> str:
    """One line for what BuildKit says of a build that failed at a ``step``, and what to do about it."""
    cause = re.sub(r"failed to solve(?: with frontend \S+)?: |failed to create LLB definition: ", "", message.strip())
    text = f"building {image.text} from {image.context} failed{f' at {step}' if step else ''}: {cause}"
    newer = (
        f"“{needs}” is newer than this Docker Engine's BuildKit: install Docker Engine 23.0 or later, or, where it "
        "reaches docker.io, begin the Dockerfile with # syntax=docker/dockerfile:1"
    )
    fix = _first(
        f"{step}: {message}",
        {
            "unknown instruction|unknown flag|parse error": newer if needs else "correct the Dockerfile",
            "docker/dockerfile": "the Dockerfile's line # syntax= "
            "has the Engine fetch BuildKit's newest frontend: let it reach docker.io, or remove the line",
            _UNREACHABLE: "check that the Docker Engine reaches the registry that it names",
        },
    )
    return f"{text}; {fix}" if fix else text


def _first(message: str, fixes: dict[str, str]) -> str:
    return next((fix for pattern, fix in fixes.items() if re.search(pattern, message, re.IGNORECASE)), "")
