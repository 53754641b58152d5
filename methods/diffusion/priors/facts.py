"""What a pretrained prior is, before it is loaded, and whether it fits a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddbench.errors import BenchError
from ddbench.methods.diffusion.checkpoints.honoured import (
    autoencoder_problems,
    schedule_problems,
    transformer_problems,
)
from ddbench.methods.diffusion.checkpoints.look import Config, Space, look_at_model, part_folder, space_of
from ddbench.methods.diffusion.checkpoints.original import look_at_original
from ddbench.methods.diffusion.checkpoints.parts import read_config
from ddbench.methods.diffusion.checkpoints.source import Found, find_folder
from ddbench.methods.diffusion.priors.imagenet import wnids
from ddbench.methods.diffusion.priors.prior import Autoencoder
from ddbench.methods.diffusion.priors.schedule import NoiseSchedule
from ddbench.types import DataFacts

HOLDS = "transformer/, vae/ and scheduler/"


@dataclass(frozen=True)
class Named:
    """What is named beside a source, in place of its own parts."""

    encoder: Autoencoder | None
    decoder: Autoencoder | None
    schedule: NoiseSchedule | None


@dataclass
class PriorFacts:
    """The configurations of a prior's parts, as diffusers writes them; None for what is not known yet, or wrong."""

    source: str
    option: str
    problems: list[str] = field(default_factory=list)
    transformer: Config | None = None
    autoencoder: Config | None = None
    """the pipeline's own"""
    schedule: Config | None = None
    spaces: dict[str, Space] = field(default_factory=dict)
    """latents of what encodes and of what decodes, by name"""

    def against(self, data: DataFacts) -> list[str]:
        """Why it cannot draw images of ``data``: its classes, their size or their channels."""
        found = []
        unknown = sorted(set(data.classes) - set(wnids()))
        if unknown:
            named = ", ".join(unknown[:3]) + (f" and {len(unknown) - 3} more" if len(unknown) > 3 else "")
            found.append(
                f"the prior {self.source} knows the 1,000 classes of ImageNet by wnid ({wnids()[0]}), and {data.name} "
                f"has {named}: name its classes by wnid, or train a prior on them with --set "
                f"{self.option}.type=ScratchPrior"
            )
        if self.transformer is not None:
            for space in dict.fromkeys(self.spaces.values()):
                name = " and ".join(name for name, own in self.spaces.items() if own == space)
                found += self._size(name, space, data, self.transformer)
        return found

    def _size(self, name: str, space: Space, data: DataFacts, transformer: Config) -> list[str]:
        channels, side = transformer.get("in_channels", 4), transformer.get("sample_size", 32) * space.factor
        if space.latents != channels:
            return [
                f"the prior {self.source} has latents of {channels} channels, and those of its {name} have "
                f"{space.latents}."
            ]
        if data.shape[0] != space.channels:
            return [
                f"the {name} of {self.source} work on {space.channels} channels, and {data.name} has {data.shape[0]}."
            ]
        if data.shape[1:] != (side, side):
            return [
                f"the prior {self.source} draws images of {side} x {side} px (latents of {side // space.factor}, "
                f"{space.factor} px each), and {data.name} has {data.shape[1]} x {data.shape[2]} px: set its size "
                f"with --set data.{data.name}.resolution={side}, or take another prior."
            ]
        return []

    def add(self, kind: str, autoencoder: Autoencoder | None, own: Space | None, light: bool) -> None:
        """Note the latents of the encoder or the decoder: its own, or those of the pipeline."""
        if autoencoder is not None:
            look = autoencoder.look(f"{self.option}.{kind}", light)
            self.problems += look.problems
            own = look.space
        if own is not None:
            self.spaces[kind] = own


def look_at_checkpoint(file: Path, heads: int, named: Named, option: str, light: bool) -> PriorFacts:
    """A file of the original DiT code, beside which autoencoder and schedule are named."""
    facts = PriorFacts(str(file), option)
    if named.encoder is None:
        facts.problems.append(
            f"{file} holds no autoencoder: name one with --set {option}.encoder.type=KLAutoencoder --set "
            f"{option}.encoder.source=FOLDER (sd-vae-ft-ema in diffusers' layout)"
        )
    if named.schedule is None:
        facts.problems.append(
            f"{file} holds no noise schedule: name DiT's with --set {option}.schedule=NoiseSchedule (its fields are "
            "options)"
        )
    else:
        facts.schedule = named.schedule.config()
    try:
        facts.transformer = look_at_original(file, heads, option, light)
    except BenchError as error:
        facts.problems.append(str(error))
    if facts.transformer is not None:
        facts.problems += _class_count(facts.transformer, str(file))
    facts.add("encoder", named.encoder, None, light)
    facts.add("decoder", named.decoder, facts.spaces.get("encoder"), light)
    return facts


def look_at_pipeline(source: str, named: Named, option: str, light: bool) -> PriorFacts:
    """A diffusers pipeline at a hub id or in a folder."""
    facts = PriorFacts(source, option)
    try:
        found = find_folder(source, HOLDS, f"{option}.source", "model_index.json", light)
        if found is not None:
            _look_inside(facts, found, named, light)
    except BenchError as error:
        facts.problems.append(str(error))
    if named.schedule is not None:
        facts.schedule = named.schedule.config()
    own = None if facts.autoencoder is None else space_of(facts.autoencoder)
    facts.add("encoder", named.encoder, own, light)
    facts.add("decoder", named.decoder, own, light)
    return facts


def _look_inside(facts: PriorFacts, found: Found, named: Named, light: bool) -> None:
    """Look at the pipeline's transformer, and at its autoencoder and schedule where no other is named."""
    pipeline = read_config(found.folder, "model_index.json").get("_class_name")
    if pipeline != "DiTPipeline":
        raise BenchError(f"{facts.source} is a {pipeline}, and a prior is a DiTPipeline, whose DiT knows classes.")
    missing = []

    def there(part: str, file: str = "config.json") -> bool:
        try:
            return part_folder(found, facts.source, part, file, light)
        except BenchError as error:
            missing.append(str(error))
            return False

    def look(part: str, check: Any) -> Mapping[str, Any] | None:
        try:
            config, problems = look_at_model(found, part, check, light)
        except BenchError as error:
            facts.problems.append(str(error))
            return None
        facts.problems += problems
        return None if problems else config

    if there("transformer"):
        facts.transformer = look("transformer", _transformer_check)
    if (named.encoder is None or named.decoder is None) and there("vae"):
        facts.autoencoder = look("vae", autoencoder_problems)
    if named.schedule is None and there("scheduler", "scheduler_config.json"):
        config = read_config(found.folder / "scheduler", "scheduler_config.json")
        problems = schedule_problems(config, str(found.folder / "scheduler" / "scheduler_config.json"))
        facts.problems += problems
        facts.schedule = None if problems else config
    facts.problems += [f"{problem} {_instead(problem, facts.option)}" for problem in missing]


def _transformer_check(config: Config, where: str) -> list[str]:
    return transformer_problems(config, where) or _class_count(config, where)


def _class_count(config: Config, where: str) -> list[str]:
    count = config.get("num_embeds_ada_norm", 1000)
    return [] if count == len(wnids()) else [f"{where} has {count} classes, and a prior has ImageNet's {len(wnids())}."]


def _instead(problem: str, option: str) -> str:
    """What may take the place of a missing part."""
    if "scheduler" in problem:
        return f"Add it, or name the schedule with --set {option}.schedule=NoiseSchedule"
    if "vae" in problem:
        return (
            f"Add it, or name autoencoders with --set {option}.encoder=KLAutoencoder and --set "
            f"{option}.decoder=KLAutoencoder"
        )
    return f"Name a folder that holds {HOLDS} with --set {option}.source=FOLDER"
