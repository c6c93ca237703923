"""Rows from the hub, through `datasets`, at the task's pinned revision.

The HF offline variables are honoured by `datasets` itself; what can't be had becomes a `DataError` that says how to go
on without a network. Images of sets that ship them beside the rows, in one `images.zip`, are read out of that file.
"""

from __future__ import annotations

import functools
import re
import zipfile
from pathlib import Path
from typing import Any

from vpbench.base import Source
from vpbench.data.table import Row, Table, by_split, check_columns, image_refs
from vpbench.errors import DataError
from vpbench.records import ImageRef


def read_hub(source: Source) -> Table:
    """All rows of the task's split, or of its several splits.

    Raises `DataError` where the hub can't be reached or holds something else.
    """
    return by_split(source, _read_split)


def _read_split(source: Source) -> Table:
    import datasets

    try:
        parts = [
            datasets.load_dataset(
                source.hub_id, None if config == "default" else config, split=source.split, revision=source.revision
            )
            for config in source.configs
        ]
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            f"can't load {source.hub_id} (split {source.split}, revision {source.revision or 'main'}) from the hub: "
            f"{reason}. Without a network, give a folder that holds the data set's own files: --data DIR."
        ) from error
    data = parts[0] if len(parts) == 1 else datasets.concatenate_datasets(parts)
    for column, feature in data.features.items():
        if isinstance(feature, datasets.Image):
            data = data.cast_column(column, datasets.Image(decode=False))
    check_columns(source, data.column_names, source.hub_id)
    inline = [column for column in source.image_columns if isinstance(data.features[column], datasets.Image)]
    several = len(source.image_columns) > 1
    texts = data.remove_columns(inline)
    rows = []
    for number, values in enumerate(texts):
        where = f"{source.hub_id} ({source.split}) row {number + 1}"
        images: list[ImageRef] = []
        cells = data[number] if several and inline else {}
        for column in source.image_columns:
            name = f"{where}, column {column}"
            if column not in inline:
                images += [_beside(source, ref) for ref in image_refs(values[column], name, Path("/"))]
            elif not several or cells[column] is not None:
                images.append(ImageRef(name, load=functools.partial(_inline, data, number, column, name)))
        rows.append(Row(values, tuple(images), where))
    revision = _commit(parts[0]) or source.revision
    return Table(rows, f"{source.hub_id}@{revision}:{data._fingerprint}", source.hub_id, revision)


def _inline(data: Any, number: int, column: str, name: str) -> bytes:
    return image_refs(data[number][column], name, None)[0].read()


def _beside(source: Source, ref: ImageRef) -> ImageRef:
    if ref.path is None:
        return ref
    member = str(ref.path.relative_to("/"))
    return ImageRef(ref.name, load=functools.partial(_unzip, source.hub_id, source.revision, member, ref.name))


def _unzip(hub_id: str, revision: str | None, member: str, name: str) -> bytes:
    archive = _archive(hub_id, revision)
    try:
        with zipfile.ZipFile(archive) as file:
            return file.read(member)
    except (KeyError, zipfile.BadZipFile, OSError) as error:
        raise DataError(f"missing image: {name}: {member} can't be read from {archive} ({error})") from error


@functools.lru_cache(maxsize=8)
def _archive(hub_id: str, revision: str | None) -> Path:
    if Path(hub_id).is_dir():
        return Path(hub_id) / "images.zip"
    import huggingface_hub

    try:
        return Path(huggingface_hub.hf_hub_download(hub_id, "images.zip", repo_type="dataset", revision=revision))
    except (OSError, ValueError, huggingface_hub.errors.HfHubHTTPError) as error:
        raise DataError(
            f"can't get images.zip of {hub_id} from the hub: {error}; give --data DIR with images"
        ) from error


def _commit(data: Any) -> str | None:
    for address in data.info.download_checksums or {}:
        match = re.search(r"@([0-9a-f]{40})/", address)
        if match:
            return match.group(1)
    return None
