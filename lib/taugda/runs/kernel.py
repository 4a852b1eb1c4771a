"""The kernel of a run: this interpreter, with an environment and open files of its own."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager


class Kernel(AsyncKernelManager):
    """What papermill takes for a manager of kernels; it says which process it has started.

    Jupyter would prefer a ``python3`` kernel of another environment in the user's home.
    """

    def __init__(
        self, options: dict[str, Any], started: Callable[[int], None], folder: str
    ) -> None:
        # Sockets in a folder, not ports that another process may take first, and not open to
        # others.  Their paths may have some hundred characters.
        transport = "ipc" if len(folder) < 80 else "tcp"
        super().__init__(transport=transport, connection_file=f"{folder}/kernel.json")
        self._options, self._started, self._client = options, started, None

    @property
    def kernel_spec(self) -> KernelSpec:
        """What starts this interpreter."""
        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())

    async def start_kernel(self, **others: Any) -> None:
        """Start the process, with our options before papermill's."""
        await super().start_kernel(**{**others, **self._options})
        self._started(self.provisioner.pid)

    def client(self, **options: Any) -> Any:
        """Make a client, and close the former: papermill does so only with its own managers."""
        self._leave()
        self._client = super().client(**options)
        return self._client

    def close(self) -> None:
        """Close what is left of a kernel that may have ended, or never started."""
        self._leave()
        with suppress(Exception):
            asyncio.run(self.shutdown_kernel(now=True))

    def _leave(self) -> None:
        if self._client:
            self._client.stop_channels()
