"""A Label Studio on loopback, with a user, a password and a token of its own, that calls nobody. I/O."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import time
from typing import TYPE_CHECKING, Self

import requests

from agent.demo.children import Child
from agent.demo.label_studio.installing import LOOK_SECONDS, server_environ
from agent.demo.ports import free_ports
from agent.errors import AgentError
from agent.http.sessions import Session
from agent.model.text import bounded
from agent.settings.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.label_studio.installing import Installation
    from agent.demo.steps import Steps

START_SECONDS = 300.0
"""It takes 9 s where nothing else is at work (1.23.2)."""
USER = "demo@example.com"


class Server:
    """Label Studio within its `with` block, with its data and its log in `folder`; all its processes end with it.

    Raises AgentError where it does not start.
    """

    def __init__(self, installed: Installation, folder: Path, steps: Steps) -> None:
        self._installed = installed
        self._folder = folder
        self._steps = steps
        self._stack = contextlib.ExitStack()
        self.log = folder / "log"
        self.password = secrets.token_urlsafe(12)
        self.token = Secret(secrets.token_hex(20))
        [self.port] = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._folder.mkdir()
        shutil.copyfile(self._installed.database, self._folder / self._installed.database.name)
        # Not on the command line, which everyone on this machine may read.
        environ = {
            **server_environ(self._folder),
            "LABEL_STUDIO_USERNAME": USER,
            "LABEL_STUDIO_PASSWORD": self.password,
            "LABEL_STUDIO_USER_TOKEN": self.token.reveal(),
            "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        }
        with contextlib.ExitStack() as stack:
            self._child = stack.enter_context(Child(self._command(), environ, self.log, self._folder))
            with self._steps.step("Starting Label Studio") as show:
                deadline = time.monotonic() + START_SECONDS
                while not self._answers():
                    self.look_after()
                    if time.monotonic() > deadline:
                        raise AgentError(
                            f"Label Studio did not start within {START_SECONDS:.0f} s: {self._last_word()}."
                        )
                    show(None)
                    time.sleep(LOOK_SECONDS)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def look_after(self) -> None:
        """Raise AgentError where it has ended."""
        if self._child.exit_code is not None:
            again = f"where it does so again, it is made anew after rm -r {self._installed.folder}"
            raise AgentError(f"Label Studio has ended by itself ({self._last_word()}): {again}.")

    def page(self, project: int, task: str = "") -> str:
        """Return the address of a project's page, or of one of its tasks'."""
        return f"{self.url}/projects/{project}/data" + (f"?task={task}" if task else "")

    def settings(self, images: int, sequences: int, results: Path) -> dict[str, str]:
        """Return what an agent is to be set to that sends to these projects, and fetches what is annotated there."""
        return {
            "TARGET": "label-studio",
            "LABEL_STUDIO_URL": self.url,
            "LABEL_STUDIO_TOKEN": self.token.reveal(),
            "LABEL_STUDIO_IMAGE_PROJECT": str(images),
            "LABEL_STUDIO_SEQUENCE_PROJECT": str(sequences),
            "RESULTS_DIR": str(results),
            "RESULTS_POLL_SECONDS": "1",
        }

    def _command(self) -> list[str]:
        return [
            str(self._installed.python), "-I", "-m", "label_studio.server", "start", "--no-browser",
            "--port", str(self.port), "--internal-host", "127.0.0.1", "--host", self.url,
            "--data-dir", str(self._folder), "--enable-legacy-api-token",
        ]  # fmt: skip

    def _answers(self) -> bool:
        with contextlib.suppress(requests.RequestException), Session() as http:
            return http.get(f"{self.url}/health", timeout=5).ok
        return False

    def _last_word(self) -> str:
        """Return the last line that it has logged: the folder with the rest may be gone soon."""
        lines = self.log.read_text(errors="replace").split("\n")
        return bounded(next((line for line in reversed(lines) if line.strip()), "it said nothing"))
