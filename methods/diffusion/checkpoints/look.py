"""Looking at autoencoders and pipelines before they are loaded: what they are, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddbench.errors import BenchError
from ddbench.methods.diffusion.checkpoints.honoured import AUTOENCODERS, autoencoder_problems
from ddbench.methods.diffusion.checkpoints.parts import read_config, weight_problem
from ddbench.methods.diffusion.checkpoints.source import Found, fetch, find_folder

Config = Mapping[str, Any]
Check = Callable[[Config, str], list[str]]
"""``check(configuration, where)``: the problems of a model of diffusers"""


@dataclass(frozen=True)
class Space:
    """The latents of an autoencoder: their channels, the image's channels, and pixels of an image for one of a
    latent."""

    latents: int
    channels: int
    factor: int


@dataclass(frozen=True)
class Look:
    """What an autoencoder is; ``space`` is None where its files are not on this machine yet, or wrong."""

    problems: tuple[str, ...] = ()
    space: Space | None = None


def space_of(config: Config) -> Space:
    """The latents of an AutoencoderKL or AutoencoderTiny: both halve the side once between two blocks."""
    kl = config.get("_class_name") == AUTOENCODERS[0]
    blocks = config.get("block_out_channels", [64]) if kl else config.get("num_encoder_blocks", [1, 3, 3, 3])
    return Space(config.get("latent_channels", 4), config.get("in_channels", 3), 2 ** (len(blocks) - 1))


def look_at_autoencoder(source: str, kind: str, option: str, light: bool) -> Look:
    """The autoencoder of class ``kind`` at ``source``; ``option``: the key that names it, for messages."""
    try:
        found = find_folder(source, "config.json and weights", option, "config.json", light)
        if found is None:
            return Look()
        if (found.folder / "vae" / "config.json").is_file() and not (found.folder / "config.json").is_file():
            return Look((f"{source} is a whole pipeline: name its autoencoder with --set {option}={source}/vae",))
        config, problems = look_at_model(found, "", class_check(kind, option), light)
    except BenchError as error:
        return Look((str(error),))
    return Look(tuple(problems), None if problems else space_of(config))


def class_check(kind: str, option: str) -> Check:
    """A check for an autoencoder of class ``kind``, named by the key ``option``."""
    names = dict(zip(AUTOENCODERS, ("KLAutoencoder", "TinyAutoencoder"), strict=True))

    def check(config: Config, where: str) -> list[str]:
        name = str(config.get("_class_name"))
        if name in names and name != kind:
            chosen = option.rpartition(".")[0]
            return [f"{where} holds an {name}, not an {kind}: use --set {chosen}.type={names[name]}"]
        return autoencoder_problems(config, where)

    return check


def look_at_model(found: Found, part: str, check: Check, light: bool) -> tuple[dict[str, Any], list[str]]:
    """The configuration of the model in the sub-folder ``part``, and the problems of it and of its weights.

    Raises BenchError when it has no configuration, or damaged files.
    """
    folder = found.folder / part
    config = read_config(folder)
    problems = check(config, str(folder))
    if not problems and (problem := weight_problem(folder, config, found.complete, light)):
        problems = [problem]
    return config, problems


def part_folder(found: Found, source: str, part: str, file: str, light: bool) -> bool:
    """Whether the sub-folder ``part`` with its configuration ``file`` is there. Of a hub id it is fetched, unless
    ``light``: then False says that it is not known yet. Raises BenchError when it is missing."""
    path = found.folder / part / file
    if path.is_file():
        return True
    if not found.complete:
        if light:
            return False
        fetch(source, f"{part}/{file}")
        if path.is_file():
            return True
    raise BenchError(f"the pipeline {source} lacks {Path(part) / file}.")
