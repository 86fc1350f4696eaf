"""The build hook: every wheel and source distribution has the front end built.

Node.js comes from the machine, or as a wheel into the build's own environment, and is asked for only if the front end
must be built at all: an editable install or a wheel from a source distribution needs neither it nor npm's registry.
"""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent))

from scripts.build_frontend import NODE_PACKAGE, Frontend, ensure_built, find_node


class FrontendHook(BuildHookInterface[Any]):
    """Builds src/modeltraces/web/static before the files are gathered."""

    PLUGIN_NAME = "frontend"

    def dependencies(self) -> list[str]:
        if Frontend(Path(self.root)).is_current() or find_node() is not None:
            return []
        return [NODE_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if ensure_built(Path(self.root)):
            self.app.display_info("Front end: built.")
