"""The names this package knows, as tables: what each one is, where its bytes come from, and how they are verified.

OpenAI's addresses carry the sha256 of the file as their folder (openai/CLIP, clip/clip.py). The Hugging Face files are
pinned by revision, size and sha256. The authors' published prompts (METHOD section 4) are pinned by commit, size and
git blob id. Adding a model is adding a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["model", "prompts"]
Source = Literal["auto", "openai", "huggingface"]
SOURCES: tuple[Source, ...] = ("auto", "openai", "huggingface")

POCKET = "pocket"
"""The name of the embedded model."""
POCKET_VERSION = "4"
"""Its version, which its exports record: those of an earlier one are refused."""


@dataclass(frozen=True)
class RemoteFile:
    """One file on the network and everything needed to know that what arrived is what was meant.

    Attributes:
        origin: who hosts it: ``openai``, ``huggingface`` or ``github``.
        url: where it lies; ``ANOMALYCLIP_MIRROR`` may replace scheme and host.
        filename: its name in the cache.
        size: bytes, exact.
        sha256: of the content, 64 hexadecimal digits; ``None`` where only the blob id is known.
        git_blob: git's id of the content, 40 hexadecimal digits: sha1 of ``blob SIZE\\0`` and the bytes.
        known_copy: where another program may already have stored the same file, relative to that program's cache.
    """

    origin: str
    url: str
    filename: str
    size: int
    sha256: str | None = None
    git_blob: str | None = None
    known_copy: str | None = None

    @property
    def checksum(self) -> str:
        """The checksums in words, for messages and for the verification stamp."""
        pairs = (("sha256", self.sha256), ("git blob", self.git_blob))
        return ", ".join(f"{name} {value}" for name, value in pairs if value)


@dataclass(frozen=True)
class Entry:
    """One name.

    Attributes:
        name: what a user types.
        kind: ``model`` (CLIP weights) or ``prompts``.
        what: one line for the table of ``anomalyclip models list``.
        licence: of the file itself.
        files: interchangeable sources, the preferred one first; empty for an embedded file.
        embedded: path inside ``anomalyclip/assets``, for files that ship with the package.
        default_prompts: for a model: the prompts it uses unless told otherwise; ``None`` if nobody learned any.
        published: for a model: its published architecture (:mod:`anomalyclip.clip.published`), which not every file of
            it tells.
    """

    name: str
    kind: Kind
    what: str
    licence: str
    files: tuple[RemoteFile, ...] = ()
    embedded: str | None = None
    default_prompts: str | None = None
    published: str | None = None


def _openai(filename: str, sha256: str, size: int) -> RemoteFile:
    url = f"https://openaipublic.azureedge.net/clip/models/{sha256}/{filename}"
    return RemoteFile("openai", url, filename, size, sha256, known_copy=f"clip/{filename}")


def _huggingface(repository: str, revision: str, filename: str, sha256: str, size: int) -> RemoteFile:
    url = f"https://huggingface.co/{repository}/resolve/{revision}/{filename}"
    copy = f"models--{repository.replace('/', '--')}/snapshots/{revision}/{filename}"
    return RemoteFile("huggingface", url, filename, size, sha256, known_copy=copy)


# The commit is METHOD's 45ed4dd in full. Both files have the same size.
_AUTHORS = "https://raw.githubusercontent.com/zqhang/AnomalyCLIP/45ed4dd35c05797d854294b5e8d585c545920089/checkpoints"


def _authors(folder: str, filename: str, git_blob: str) -> RemoteFile:
    return RemoteFile("github", f"{_AUTHORS}/{folder}/epoch_15.pth", filename, 22_631_975, git_blob=git_blob)


_CLIP_LICENCE = "MIT (OpenAI CLIP)"
_AUTHORS_LICENCE = "MIT (AnomalyCLIP)"

_MODELS = (
    Entry(
        "pocket",
        "model",
        "small CLIP trained by this project, embedded; runs on one CPU core",
        "MIT, see NOTICE.md",
        embedded="pocket/model.safetensors",
        default_prompts="pocket-heads",
    ),
    Entry(
        "vit-l-14-336",
        "model",
        "CLIP ViT-L/14@336px, the paper's backbone",
        _CLIP_LICENCE,
        (
            _openai(
                "ViT-L-14-336px.pt", "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02", 934_088_680
            ),
            _huggingface(
                "openai/clip-vit-large-patch14-336",
                "ce19dc912ca5cd21c8a653c79e251e808ccabcd1",
                "pytorch_model.bin",
                "c6032c2e0caae3dc2d4fba35535fa6307dbb49df59c7e182b1bc4b3329b81801",
                1_711_974_081,
            ),
        ),
        default_prompts="published-mvtec",
        published="openai:ViT-L-14-336",
    ),
    Entry(
        "vit-l-14",
        "model",
        "CLIP ViT-L/14 (224 px)",
        _CLIP_LICENCE,
        (
            _openai("ViT-L-14.pt", "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836", 932_768_134),
            _huggingface(
                "openai/clip-vit-large-patch14",
                "32bd64288804d66eefd0ccbe215aa642df71cc41",
                "model.safetensors",
                "a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb",
                1_710_540_580,
            ),
        ),
        published="openai:ViT-L-14",
    ),
    Entry(
        "vit-b-16",
        "model",
        "CLIP ViT-B/16 (224 px)",
        _CLIP_LICENCE,
        (
            _openai("ViT-B-16.pt", "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f", 350_837_078),
            _huggingface(
                "openai/clip-vit-base-patch16",
                "57c216476eefef5ab752ec549e440a49ae4ae5f3",
                "pytorch_model.bin",
                "ec89c7b09c749a60aae3c9cd910516f24b58214a7df060b48962d14c469cfbf0",
                598_641_023,
            ),
        ),
        published="openai:ViT-B-16",
    ),
    Entry(
        "vit-b-32",
        "model",
        "CLIP ViT-B/32 (224 px)",
        _CLIP_LICENCE,
        (
            _openai("ViT-B-32.pt", "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af", 353_976_522),
            _huggingface(
                "openai/clip-vit-base-patch32",
                "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268",
                "pytorch_model.bin",
                "a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f",
                605_247_071,
            ),
        ),
        published="openai:ViT-B-32",
    ),
)

# The authors name their folders after the data set they TEST on; our names say what the prompts were LEARNED on.
_PROMPTS = (
    Entry(
        "pocket",
        "prompts",
        "learned by this project on rendered defects, for the model pocket",
        "MIT, see NOTICE.md",
        embedded="pocket/prompts.safetensors",
    ),
    Entry(
        "pocket-heads",
        "prompts",
        "pocket's default: its prompts, and beside the class token a read-out of its stem",
        "MIT, see NOTICE.md",
        embedded="pocket/heads.safetensors",
    ),
    Entry(
        "published-mvtec",
        "prompts",
        "the authors', learned ON MVTec AD for vit-l-14-336: use for everything but MVTec AD itself",
        _AUTHORS_LICENCE,
        (
            _authors(
                "9_12_4_multiscale_visa", "published-mvtec.pth", git_blob="72adc786e031b49ea288ba5f815f0d38cf158708"
            ),
        ),
    ),
    Entry(
        "published-visa",
        "prompts",
        "the authors', learned ON VisA for vit-l-14-336: use for MVTec AD",
        _AUTHORS_LICENCE,
        (_authors("9_12_4_multiscale", "published-visa.pth", git_blob="c90f1d9d92d158b436a8fc193f984d4cec8b1fc8"),),
    ),
)

MODELS: dict[str, Entry] = {entry.name: entry for entry in _MODELS}
PROMPTS: dict[str, Entry] = {entry.name: entry for entry in _PROMPTS}


def table(kind: Kind) -> Mapping[str, Entry]:
    """All entries of one kind by name."""
    return MODELS if kind == "model" else PROMPTS
