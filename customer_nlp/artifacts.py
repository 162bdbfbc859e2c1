"""Model folders: a JSON manifest and weights that are data, verified before use.

A folder holds ``manifest.json`` and the files it lists with their sha256. Arrays are in the
safetensors layout (an 8-byte little-endian header length, a JSON header, raw bytes), read here
with numpy alone: nothing in a model folder can run. See CONTRIBUTING.md for how the format number
is raised; a folder of every older format stays in the tests.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.errors import InvalidRecordError, ModelFormatError, UntrustedModelError

__all__ = [
    "FORMAT",
    "ModelFolder",
    "align_rows",
    "default_model_path",
    "model_path",
    "open_model",
    "shipped_models",
    "write_model",
]

#: Raised by one whenever an older reader could not use the folder; older numbers stay readable.
#: 2: features are found by their names, so a model may know fewer of them than the code.
FORMAT: Final = 2
MANIFEST: Final = "manifest.json"
MAX_MANIFEST_BYTES: Final = 4_000_000
MAX_FILE_BYTES: Final = 512_000_000
MAX_HEADER_BYTES: Final = 1_000_000

_DTYPES: Final[Mapping[str, npt.DTypeLike]] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
}
_DTYPE_NAMES: Final = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, repr=False)
class ModelFolder:
    """A verified model folder.

    Parameters
    ----------
    name, version : str
        As the manifest gives them.
    manifest : dict
        The whole manifest.
    files : mapping of str to bytes
        Verified contents by file name.
    """

    name: str
    version: str
    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]

    def arrays(self, name: str) -> Arrays:
        """Return the arrays of a safetensors file of this folder. Cost: no copy."""
        return _parse_arrays(self._file(name), name)

    def lines(self, name: str) -> list[str]:
        """Return the lines of a UTF-8 text file of this folder."""
        return self._file(name).decode("utf-8").split("\n")

    def json(self, name: str) -> Any:
        """Return the contents of a JSON file of this folder."""
        try:
            return json.loads(self._file(name))
        except (ValueError, RecursionError) as error:
            raise ModelFormatError(f"{name} of the model folder is not JSON.") from error

    def _file(self, name: str) -> bytes:
        if name not in self.files:
            raise ModelFormatError(f"The model folder lacks {name!r}, which its kind needs.")
        return self.files[name]

    def __repr__(self) -> str:
        return f"ModelFolder(name={self.name!r}, version={self.version!r})"


def default_model_path(name: str = "en") -> Path:
    """Return the folder of a shipped model: inside the installed package or of the checkout.

    Raises
    ------
    ModelFormatError
        When no such model is shipped; lists those that are.
    """
    shipped = {path.name: path for path in shipped_models()}
    if name not in shipped:
        raise ModelFormatError(
            f"No model called {name!r} ships with the package; shipped: "
            f"{', '.join(shipped) or 'none'}."
        )
    return shipped[name]


def shipped_models() -> list[Path]:
    """Return the folders of the models that ship with the package, by name."""
    package = Path(__file__).resolve().parent
    found: dict[str, Path] = {}
    for home in (package / "models", package.parent / "models"):
        for manifest in home.glob(f"*/{MANIFEST}"):
            found.setdefault(manifest.parent.name, manifest.parent)
    return [found[name] for name in sorted(found)]


def model_path(model: str | Path | None = None) -> Path:
    """Return the folder of a model given by name (``"en"`` when missing) or by its path."""
    if not isinstance(model, str | os.PathLike | None):
        raise InvalidRecordError(
            f"The model must be a name or the path of a folder; got {type(model).__name__}.",
            field="model",
        )
    name = "en" if model is None else model
    path = Path(name)
    return path if path.is_dir() else default_model_path(str(name))


def open_model(path: str | Path) -> ModelFolder:
    """Read and verify a model folder.

    Parameters
    ----------
    path : str or Path
        Folder that holds ``manifest.json``.

    Returns
    -------
    ModelFolder
        Cost: one read and one sha256 of every file.

    Raises
    ------
    ModelFormatError
        For a folder without a manifest or of an unknown format.
    UntrustedModelError
        For a wrong hash or size, a pickle, or a file name that leaves the folder.
    """
    folder = Path(path)
    manifest = _read_manifest(folder)
    files = {}
    for name, entry in _listed_files(manifest).items():
        files[name] = _read_verified(folder, name, entry)
    return ModelFolder(str(manifest["name"]), str(manifest["version"]), manifest, files)


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise ModelFormatError(f"A model folder holds {MANIFEST}; {folder.name!r} does not.")
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise UntrustedModelError(f"{MANIFEST} is larger than {MAX_MANIFEST_BYTES} bytes.")
    try:
        manifest = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ModelFormatError(f"{MANIFEST} of {folder.name!r} is not JSON.") from error
    if not isinstance(manifest, dict) or not {"format", "name", "version"} <= manifest.keys():
        raise ModelFormatError(f"{MANIFEST} needs 'format', 'name', 'version' and 'files'.")
    if manifest["format"] not in range(1, FORMAT + 1):
        raise ModelFormatError(
            f"The model's format must be between 1 and {FORMAT}; got {manifest['format']!r}. "
            "A newer customer_nlp may read it."
        )
    return manifest


def _listed_files(manifest: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    listed = manifest.get("files")
    if not isinstance(listed, dict) or not all(isinstance(v, dict) for v in listed.values()):
        raise ModelFormatError(f"{MANIFEST} needs 'files': name -> sha256 and bytes.")
    for name in listed:
        plain = Path(name).name == name and name not in {"", ".", ".."} and "\\" not in name
        if not plain:
            raise UntrustedModelError("A file named in the manifest lies outside the model folder.")
    return listed


def _read_verified(folder: Path, name: str, entry: Mapping[str, Any]) -> bytes:
    path = folder / name
    if path.is_symlink() or not path.is_file():
        raise UntrustedModelError(f"{name} must be a plain file of the model folder; it is not.")
    size = path.stat().st_size
    if size != entry.get("bytes") or size > MAX_FILE_BYTES:
        raise UntrustedModelError(
            f"{name} should have {entry.get('bytes')!r} bytes (at most {MAX_FILE_BYTES}); "
            f"it has {size}. Install the model again."
        )
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != entry.get("sha256"):
        raise UntrustedModelError(
            f"{name} does not match the sha256 of the manifest. Install the model again."
        )
    # Protocol 2 and later pickles start with 0x80 and a small number; so may the length of a
    # safetensors header, but that is followed by the header's opening brace.
    if data[:1] == b"\x80" and data[1:2] <= b"\x05" and data[8:9] != b"{":
        raise UntrustedModelError(f"{name} is a pickle; model folders hold data only.")
    return data


def _parse_arrays(data: bytes, name: str) -> Arrays:
    """Parse the safetensors layout, checking all sizes before anything is allocated."""
    header, body_start = _parse_header(data, name)
    arrays: Arrays = {}
    body_length = len(data) - body_start
    for key, entry in header.items():
        if key == "__metadata__":
            continue
        try:
            dtype = np.dtype(_DTYPES[entry["dtype"]])
            shape = tuple(int(n) for n in entry["shape"])
            start, end = (int(n) for n in entry["data_offsets"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ModelFormatError(f"{name}: the entry of an array is malformed.") from error
        fits = 0 <= start <= end <= body_length and all(n >= 0 for n in shape)
        if not fits or math.prod(shape) * dtype.itemsize != end - start:
            raise UntrustedModelError(f"{name}: an array's declared shape does not fit its bytes.")
        flat = np.frombuffer(data, dtype, math.prod(shape), body_start + start)
        try:
            arrays[key] = flat.reshape(shape)
        except (ValueError, OverflowError) as error:  # of no size, in too many or vast dimensions
            raise UntrustedModelError(f"{name}: an array's declared shape cannot be.") from error
    return arrays


def _parse_header(data: bytes, name: str) -> tuple[dict[str, Any], int]:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(MAX_HEADER_BYTES, len(data) - 8):
        raise ModelFormatError(f"{name} is not in the safetensors layout.")
    try:
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise ModelFormatError(f"{name} has a header that is not JSON.") from error
    if not isinstance(header, dict):
        raise ModelFormatError(f"{name} has a header that is not a JSON object.")
    return header, 8 + length


def dump_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return arrays in the safetensors layout, sorted by name: equal arrays give equal bytes."""
    header: dict[str, Any] = {}
    chunks = []
    offset = 0
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        data = array.tobytes()
        header[name] = {
            "dtype": _DTYPE_NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(data)],
        }
        chunks.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(chunks)


def align_rows(
    array: npt.NDArray[Any], given: Sequence[str], wanted: Sequence[str], *, missing: float = 0.0
) -> npt.NDArray[np.float32]:
    """Put the rows of an array, one a feature, in the order of this version's features.

    Parameters
    ----------
    array : ndarray of shape (len(given), …)
        As a model folder has it.
    given, wanted : sequence of str
        Names of its rows; names of the rows to return.
    missing : float
        Value of rows that the folder has not: features that came after it was made.

    Raises
    ------
    ModelFormatError
        When the folder has a feature that this version does not know.
    """
    at = {name: row for row, name in enumerate(wanted)}
    if len(array) != len(given) or not at.keys() >= set(given):
        raise ModelFormatError(
            "The model was made for features that this version does not know. Install the "
            "version that made it, or train it again."
        )
    rows = np.full((len(wanted), *array.shape[1:]), missing, np.float32)
    rows[[at[name] for name in given]] = array
    return rows


def write_model(
    path: str | Path,
    *,
    name: str,
    version: str,
    files: Mapping[str, bytes],
    about: Mapping[str, Any],
) -> None:
    """Write a model folder, the manifest last.

    Parameters
    ----------
    path : str or Path
        Folder; made when missing.
    name, version : str
        Of the model.
    files : mapping of str to bytes
        Contents by plain file name.
    about : mapping
        Further manifest entries: data hashes, library versions, metrics, licences.
    """
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    listed = {}
    for file_name in sorted(files):
        data = files[file_name]
        (folder / file_name).write_bytes(data)
        listed[file_name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    # `about` may be the manifest of an earlier folder: what is written now goes before
    manifest = {**about, "format": FORMAT, "name": name, "version": version, "files": listed}
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
