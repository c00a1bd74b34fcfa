"""A town whose tool is a folder of files, and what a person sees who opens one."""

from __future__ import annotations

from pathlib import Path

from connectors.base import SourceSetup
from connectors.msproject import MSProjectConnector
from tests.fakes.msproject import ZONE
from tests.sync.town import RULES, Said, Town


class InboxTown(Town):
    """Its source reads `inbox/`."""

    def __init__(self, folder: Path, config: str, rules: str = RULES) -> None:
        super().__init__(folder, config, rules)
        self.inbox = folder / "inbox"
        self.inbox.mkdir()

    def seen_in(self, file: str) -> dict[str, list[str]]:
        """The labels in a file below the inbox, by id; tasks without labels left out."""
        options = {"path": f"inbox/{file}", "copies": "none", "settle_seconds": 0}
        reader = MSProjectConnector(SourceSetup("x", options, folder=self.folder, timezone=ZONE))
        [collection] = reader.collections()
        items = [item for page in reader.pull(collection, None) for item in page.items]
        return {item.ref.native_id.split("#")[1]: list(item.labels) for item in items if item.labels}

    def run(self) -> Said:
        said = self.unstuck("run", "--apply", "--json")
        assert said.code == 0, said.err
        return said
