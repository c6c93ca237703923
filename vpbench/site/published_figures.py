"""The published figures of a task, with their sources: shown in a section of their own, never ranked with ours."""

from __future__ import annotations

from dataclasses import dataclass

from vpbench.base import Reference
from vpbench.report.published import load_published
from vpbench.site.board import Section


@dataclass(frozen=True, slots=True)
class PublishedSource:
    """Where figures are from: what it is called, its address if it has one, and what is to be known of all of them."""

    name: str
    address: str
    note: str


@dataclass(frozen=True, slots=True)
class PublishedFigures:
    """A task's published figures, in the order of their source."""

    title: str
    rows: tuple[Reference, ...]
    sources: tuple[PublishedSource, ...]


def published_figures(section: Section) -> PublishedFigures:
    """What is published of the section's task."""
    names = {reference.where for reference in section.references}
    sources = []
    for table in load_published().tables.values():
        name = f"{table.paper}, {table.table}"
        if name in names:
            address = table.source if table.source.startswith("https://") else ""
            sources.append(PublishedSource(name, address, table.note or ""))
    return PublishedFigures(section.title, section.references, tuple(sources))
