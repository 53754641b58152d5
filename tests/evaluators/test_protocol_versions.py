"""Registered protocols, pinned: one edited without a new version would change numbers behind one name."""

import dataclasses

import pytest

from ddbench.config.addresses import addresses_of
from ddbench.config.values import build, describe
from ddbench.evaluators import condensation, protocols, rded, stored, teaching
from ddbench.keys import digest
from ddbench.plugins import registry

ADDED = {
    "two_thirds_at": 0,
    "second_forward": False,
    "test_images": "stored",
    "mean": (),
    "sd": (),
    "siamese": "",
}
"""fields that came after a version was pinned, with the values at which they change nothing"""

CPU_SMALL_1 = ADDED | {
    "epochs_by_ipc": ((1, 200), (5, 120), (10, 80), (50, 40), (100, 30), (1000, 20)),
    "optimiser": "adamw",
    "lr": 2e-3,
    "momentum": 0.0,
    "weight_decay": 1e-2,
    "decay_all": True,
    "batch": 64,
    "batch_by_ipc": (),
    "schedule": "cosine",
    "min_side": 16,
    "side": 0,
    "test_resize": 0,
    "normalisation": "own",
    "shift": 0.0625,
    "augmentation": None,
    "cutmix": False,
    "many_classes": None,
    "evaluations": 10,
    "evaluate_every": 0,
    "evaluate_after": 0.0,
}

MINIMAX_SGD_1 = ADDED | {
    "epochs_by_ipc": ((1, 3000), (10, 2000), (50, 1500), (200, 1000), (500, 500), (501, 300)),
    "optimiser": "sgd",
    "lr": 0.01,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "decay_all": True,
    "batch": 64,
    "batch_by_ipc": (),
    "schedule": "steps",
    "min_side": 16,
    "side": 224,
    "test_resize": 0,
    "normalisation": "imagenet",
    "shift": 0.0,
    "augmentation": {
        "shuffle": 1,
        "crop": (0.5, 1.0),
        "ratio": (3 / 4, 4 / 3),
        "flip": 0.5,
        "brightness": 0.4,
        "contrast": 0.4,
        "saturation": 0.4,
        "lighting": 0.1,
    },
    "cutmix": True,
    "many_classes": {"above": 100, "lr": 0.1, "weight_decay": 1e-4, "least_batch": 128},
    "evaluations": 100,
    "evaluate_every": 0,
    "evaluate_after": 0.0,
}

IGD_ADAMW_1 = MINIMAX_SGD_1 | {
    "optimiser": "adamw",
    "lr": 1e-3,
    "momentum": 0.0,
    "weight_decay": 1e-2,
    "many_classes": {"above": 100, "lr": 1e-3, "weight_decay": 1e-2, "least_batch": 128},
}

RDED_1K_1 = MINIMAX_SGD_1 | {
    "epochs_by_ipc": ((1, 300),),
    "optimiser": "adamw",
    "lr": 1e-3,
    "momentum": 0.0,
    "weight_decay": 1e-2,
    "decay_all": False,
    "batch": 100,
    "batch_by_ipc": ((10, 100), (50, 200)),
    "schedule": "upper_cosine",
    "test_resize": 256,
    "augmentation": {
        "shuffle": 2,
        "crop": (0.5, 1.0),
        "ratio": (3 / 4, 4 / 3),
        "flip": 0.5,
        "brightness": 0.0,
        "contrast": 0.0,
        "saturation": 0.0,
        "lighting": 0.0,
    },
    "many_classes": None,
    "evaluations": 10,
    "evaluate_every": 10,
    "evaluate_after": 0.8,
    "teacher": "resnet18-f37072fd.pth",
    "teacher_sha256": "f37072fd",
    "teacher_arch": "torchvision:resnet18",
    "temperature": 20.0,
}

TEACHER = {
    "network": "convnet3-w32",
    "epochs": 60,
    "batch": 64,
    "lr": 1e-3,
    "weight_decay": 1e-2,
    "crop": (0.7, 1.0),
    "mirror": False,
    "sides": (),
    "min_side": 16,
    "seed": 0,
}

CPU_SMALL_TEACHER_1 = CPU_SMALL_1 | {"normalisation": "imagenet", "teacher": TEACHER, "temperature": 4.0}

RDED_1 = CPU_SMALL_1 | {
    "epochs_by_ipc": ((1, 300),),
    "lr": 1e-3,
    "decay_all": False,
    "second_forward": True,
    "schedule": "upper_cosine",
    "test_images": "decoded",
    "normalisation": "imagenet",
    "shift": 0.0,
    "cutmix": True,
    "evaluate_every": 10,
    "evaluate_after": 0.8,
    "teacher": TEACHER | {"network": "resnet18-modified", "sides": (32, 64, 224), "crop": (0.5, 1.0), "mirror": True},
    "temperature": 20.0,
    "factor": 0,
    "batches": ((1, 10), (10, 50), (50, 100)),
    "lr_by_student": (
        ("alexnet", 1e-4),
        ("efficientnet_b0", 2e-3),
        ("mobilenet_v2", 2.5e-3),
        ("swin_v2_t", 1e-4),
        ("vgg11", 5e-4),
        ("vit_b_16", 1e-4),
    ),
}

DC_1 = CPU_SMALL_1 | {
    "epochs_by_ipc": ((1, 1001),),
    "optimiser": "sgd",
    "lr": 0.01,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "batch": 256,
    "schedule": "tenth_past_half",
    "shift": 0.0,
    "siamese": "color_crop_cutout_flip_scale_rotate",
}

FKD_1 = CPU_SMALL_1 | {
    "epochs_by_ipc": ((1, 300),),
    "lr": 1e-3,
    "batch": 1024,
    "schedule": "cosine_by_epoch",
    "side": 224,
    "test_resize": 256,
    "test_images": "decoded",
    "normalisation": "imagenet",
    "shift": 0.0,
    "augmentation": {
        "shuffle": 1,
        "crop": (0.08, 1.0),
        "ratio": (3 / 4, 4 / 3),
        "flip": 0.5,
        "brightness": 0.0,
        "contrast": 0.0,
        "saturation": 0.0,
        "lighting": 0.0,
    },
    "cutmix": True,
    "evaluate_every": 10,
    "temperature": 20.0,
}

LIKE_PEERS = {"two_thirds_at": 100, "test_images": "decoded"}

SMALL_64_1 = CPU_SMALL_1 | {
    "epochs_by_ipc": ((1, 500), (10, 300), (50, 150), (100, 100)),
    "lr": 1e-3,
    "side": 64,
    "normalisation": "imagenet",
    "shift": 0.0,
    "augmentation": {
        "shuffle": 1,
        "crop": (0.5, 1.0),
        "ratio": (3 / 4, 4 / 3),
        "flip": 0.5,
        "brightness": 0.4,
        "contrast": 0.4,
        "saturation": 0.4,
        "lighting": 0.0,
    },
    "cutmix": True,
}

VERSIONS = {
    "small-64@1": (protocols.small_64_1, SMALL_64_1, "6a2dc58c8480b2e87f895f19248c9bda"),
    "cpu-small@1": (protocols.cpu_small_1, CPU_SMALL_1, "d4fa48fde82ee4f9c94115bc45a5976c"),
    "cpu-small-soft@1": (protocols.cpu_small_soft_1, CPU_SMALL_1, "0b23509bb89ae73c8a605634ce4681ab"),
    "minimax-sgd@1": (protocols.minimax_sgd_1, MINIMAX_SGD_1, "48edfa13b2fcce08321041c6bb4b87f4"),
    "igd-adamw@1": (protocols.igd_adamw_1, IGD_ADAMW_1, "4faeafc094a141be3559649b8d668503"),
    "igd-adamw-soft@1": (protocols.igd_adamw_soft_1, IGD_ADAMW_1, "0d95a8619ddcc755f92797f66fcdae5c"),
    "rded-1k@1": (protocols.rded_1k_1, RDED_1K_1, "2ddd0841181e8dbd94ed663494ebcce8"),
    "minimax-sgd@2": (protocols.minimax_sgd_2, MINIMAX_SGD_1 | LIKE_PEERS, "b6c5ab187a70db61cd3b58f687330867"),
    "igd-adamw@2": (protocols.igd_adamw_2, IGD_ADAMW_1 | LIKE_PEERS, "9e9233fb6532bbcbf8ea413704502f06"),
    "igd-adamw-soft@2": (protocols.igd_adamw_soft_2, IGD_ADAMW_1 | LIKE_PEERS, "1a4dece60a7fd4a7661ef47e1b7ece1d"),
    "rded-1k@2": (
        protocols.rded_1k_2,
        RDED_1K_1 | {"test_images": "decoded", "second_forward": True},
        "f12aacb2dbb12c58e0851dc6f579e592",
    ),
    "cpu-small-teacher@1": (teaching.cpu_small_teacher_1, CPU_SMALL_TEACHER_1, "19325a3563c7af3cf2b7772cc2f889f2"),
    "rded@1": (rded.rded_1, RDED_1, "2d447f0196689b1d0281375ff12273c4"),
    "dc@1": (condensation.dc_1, DC_1, "00e8b0cd4df2635755d7228e3862dd2d"),
    "fkd@1": (stored.fkd_1, FKD_1, "63b0865ad98b28283e87791da9143702"),
}
"""name: the value, its fields, the digest of its type and fields (those added later left out where they do nothing)"""


def described_digest(protocol):
    """Of type and fields, without those added later where they change nothing."""
    added = {name: value for name, value in ADDED.items() if getattr(protocol, name) == value}
    return digest({name: value for name, value in describe(protocol).items() if name not in added})


@pytest.mark.parametrize("name", VERSIONS)
def test_a_version_of_a_protocol_is_what_it_was(name):
    protocol, fields, pinned = VERSIONS[name]
    assert dataclasses.asdict(protocol) == fields
    assert described_digest(protocol) == pinned, f"{name} changed: give it a new version, and pin that"
    assert build(describe(protocol), addresses_of(protocol)) == protocol


def own():
    """The registered protocols that this repository defines."""
    return [n for n, e in registry.entries("protocol").items() if e.reference.startswith("ddbench.evaluators.")]


@pytest.mark.parametrize("name", own())
def test_every_registered_protocol_is_pinned(name):
    assert name in VERSIONS, f"pin the fields and digest of {name}"
    assert registry.load("protocol", name) == VERSIONS[name][0]


def another(value):
    """A value of the same kind that differs."""
    if dataclasses.is_dataclass(value):
        return dataclasses.replace(value, **{(f := dataclasses.fields(value)[0]).name: another(getattr(value, f.name))})
    if value is None or isinstance(value, tuple):
        return ((7, 7),)
    return not value if isinstance(value, bool) else f"{value}x" if isinstance(value, str) else value + 1


@pytest.mark.parametrize("name", VERSIONS)
def test_editing_any_field_changes_the_digest(name):
    protocol, fields, pinned = VERSIONS[name]
    together = {  # fields that only some values of others go with
        "test_resize": {"test_resize": 9999},
        "mean": {"mean": (0.5,), "sd": (1.0,)},
        "sd": {"mean": (0.5,), "sd": (2.0,)},
        "siamese": {"siamese": "flip_crop", "side": 0, "test_resize": 0},
        "side": {"side": protocol.side + 1, "siamese": ""},
    }
    others = [together.get(f, {f: another(getattr(protocol, f))}) for f in fields]
    found = {digest(describe(dataclasses.replace(protocol, **changes))) for changes in others}
    assert pinned not in found
    assert len(found) == len(fields)
