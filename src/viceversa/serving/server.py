"""From settings to a server that runs until it is told to stop."""

import asyncio
import contextlib
import errno
import os
import socket

from viceversa.errors import ConfigError
from viceversa.extras import need
from viceversa.serving.config import ServeConfig

_MODULES = ("fastapi", "uvicorn", "prometheus_client", "python_multipart")


def serve(models: tuple[str, ...], config: ServeConfig) -> int:
    """Serves until SIGTERM or SIGINT, then finishes what was accepted; returns the exit code.

    Args:
        models: PATH or NAME=PATH, each.
        config: Everything else.

    Raises:
        ConfigError: A setting cannot be, or the port is taken.
        CheckpointError: There is no translator at a path.
        MissingExtra: A library is missing.
    """
    for module in _MODULES:
        need(module, "serve")
    # PyTorch's threads wait for each other after each operation. Awake, as is their way, they would hold the cores that
    # decoding and answering need. It is read once, when PyTorch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from viceversa.serving.models import load_models
    from viceversa.serving.running import run

    key = config.api_key()
    with contextlib.closing(bind(config.host, config.port)) as listener:
        asyncio.run(run(load_models(models, config.device, config.engine), config, key, listener))
    return 0


def bind(host: str, port: int) -> socket.socket:
    """A socket that has the address and does not listen yet.

    Raises:
        ConfigError: Another program has it, or it is none of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError):
        raise ConfigError(f"--host {host}: there is no such address; use 127.0.0.1 or 0.0.0.0.") from None
    listener = socket.socket(family, kind, protocol)
    try:
        # A restart need not wait for old connections. On Windows that option would let two servers have one port; there
        # this one is needed to have it alone, and a restart does not wait anyway.
        alone = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR if alone is None else alone, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            text = f"Port {port} of {host} is in use by another program; choose another: --port {port % 65535 + 1}."
        else:
            text = f"{host}, port {port}, cannot be listened on ({error.strerror}); choose another --host or --port."
        raise ConfigError(text) from None
    return listener
