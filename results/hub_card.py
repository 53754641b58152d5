"""The dataset card of a repository of distilled sets on the Hugging Face hub."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ddbench.results.export import yaml_configs
from ddbench.results.forms import DATA_FILES
from ddbench.results.tables.text import percent


@dataclass(frozen=True)
class Judged:
    """What classifiers that were trained on a set score."""

    protocol: str
    arch: str
    top1: float
    """mean of the last epoch, a fraction"""
    classifiers: int


@dataclass(frozen=True)
class SharedSet:
    """A set in the repository."""

    path: str
    """its folder"""
    dataset: str
    method: str
    ipc: int
    seed: int
    split: str
    key: str
    """of the artifact in the store that it comes from"""
    accuracies: tuple[Judged, ...]


def hub_card(repo: str, sets: Sequence[SharedSet], form: str) -> str:
    """Markdown under a YAML header, which holds the facts of each set under ``distilled_sets``.

    It states no licence: that is left to whoever shares the sets.
    """
    configs = {one.path.replace("/", "-"): [one.path] for one in sets}
    loaded = f"{yaml_configs(configs, form)}\n" if DATA_FILES[form] else ""
    facts = "\n".join(f"- {json.dumps(asdict(one))}" for one in sets)
    first = sets[0]
    options = f'"{next(iter(configs))}", split="train"'
    python = f'    datasets.load_dataset("{repo}", {options})\n' if DATA_FILES[form] else ""
    return f"""\
---
pretty_name: {json.dumps(f"Distilled sets: {repo}")}
task_categories: [image-classification]
tags: [dataset-distillation]
{loaded}distilled_sets:
{facts}
---

# Distilled sets

Each set was distilled from the train images of its dataset. A classifier is trained on it alone, and judged on test
images.

{_table(sets)}

Top-1 is the mean over the classifiers of the last epoch under the protocol, in per cent. How each set was made is in
the README.md of its folder: what its stages read, keys, versions, the commit of the code.

## Loading

    bench evaluate hf://datasets/{repo}/{first.path} --dataset {first.dataset} --method NAME
{python}
## Terms

No licence is stated here: choose one in the header. The images derive from those of their datasets, and stay under the
terms of these.
"""


def _table(sets: Sequence[SharedSet]) -> str:
    rows = [
        ("set", "dataset", "split", "method", "IPC", "seed", "key", "protocol", "model", "top-1 (%)", "classifiers")
    ]
    for one in sets:
        about = (one.path, one.dataset, one.split, one.method, str(one.ipc), str(one.seed), one.key[:12])
        for judged in one.accuracies or (None,):
            score = ("not judged", "", "", "")
            if judged:
                score = (judged.protocol, judged.arch, percent(judged.top1), str(judged.classifiers))
            rows.append((*about, *score))
    lines = [f"| {' | '.join(map(_plain, row))} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def _plain(text: str) -> str:
    """Names may come from anybody: nothing in them is markup."""
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")
