"""`init --sheet`: put into a tool what labels need there, once a person asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from connectors.base import Preparing
from connectors.errors import ConnectorError
from sync import clock as clocks
from sync import config as configs
from sync.commands.visiting import asked
from sync.config import Config, Source
from sync.secrets import redacted
from sync.sources import refuse_rehearsal
from sync.stops import Exit, InvalidStop


def prepare(path: Path | None, names: Sequence[str], really: bool) -> int:
    """For each sheet of these names or ids, what it lacks; added if `really`. Exit 1 if one could not be prepared."""
    config = configs.load(configs.find(path))
    sources = [source for source in config.sources.values() if issubclass(source.connector, Preparing)]
    if not sources:
        raise InvalidStop(f"{config.path}: no source needs columns for labels; describe one with [sources.NAME].")
    if really:
        refuse_rehearsal(sources, clocks.read())
    failed = False
    left = set(names)
    for source in sources:
        try:
            for name, line in _prepared(config, source, names, really):
                left.discard(name)
                click.echo(redacted(line))
        except ConnectorError as error:
            failed = True
            click.echo(redacted(f"{source.name}: problem: {error}."))
    if left and not failed:
        raise InvalidStop(f'{config.path}: no source reads a sheet "{min(left)}"; correct its name, or `collections`.')
    return Exit.PARTLY if failed else Exit.FINE


def _prepared(config: Config, source: Source, names: Sequence[str], really: bool) -> Iterator[tuple[str, str]]:
    """The name of each sheet of the source that is meant, and what became of it."""
    with asked(config, source, writable=really) as connector:
        for collection in connector.collections():
            name = next((one for one in names if one in (collection.native_id, collection.name)), None)
            if name is not None and isinstance(connector, Preparing):
                lacking = connector.prepare(collection, really=really)
                yield name, f"{source.name}: {collection.name}: {_told(lacking, really)}"


def _told(lacking: Sequence[str], really: bool) -> str:
    if not lacking:
        return "has all that labels need."
    return f"{'added' if really else 'lacks'} {', '.join(lacking)}{'.' if really else '; add with --apply.'}"
