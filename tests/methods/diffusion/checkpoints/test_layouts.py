"""Names and shapes of weights by the configuration alone are those of diffusers' own networks."""

import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DiTTransformer2DModel

from ddbench.methods.diffusion.checkpoints.layouts import layout_of
from tests.support.pipelines import DIT, KL, TINY

SD = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}
XL2 = {"num_attention_heads": 16, "attention_head_dim": 72, "out_channels": 8, "num_layers": 28}


@pytest.mark.parametrize(
    ("cls", "config"),
    [
        (DiTTransformer2DModel, DIT),
        (DiTTransformer2DModel, {**DIT, "out_channels": None, "attention_bias": False, "patch_size": 4}),
        (DiTTransformer2DModel, {**DIT, "norm_elementwise_affine": True, "num_embeds_ada_norm": 10}),
        (DiTTransformer2DModel, XL2),
        (AutoencoderKL, KL),
        (AutoencoderKL, SD),
        (AutoencoderKL, {**SD, "latent_channels": 16, "use_quant_conv": False, "use_post_quant_conv": False}),
        (AutoencoderKL, {**KL, "mid_block_add_attention": False}),
        (AutoencoderTiny, {}),
        (AutoencoderTiny, TINY),
    ],
)
def test_the_layout_is_that_of_diffusers_own_network(cls, config):
    with torch.device("meta"):
        own = cls(**config)
    expected = {name: tuple(tensor.shape) for name, tensor in own.state_dict().items()}
    assert layout_of({**config, "_class_name": cls.__name__}) == expected
    assert layout_of({**own.config, "_class_name": cls.__name__}) == expected


def test_of_other_classes_and_blocks_nothing_is_claimed():
    assert layout_of({"_class_name": "AutoencoderDC"}) is None
    assert layout_of({**SD, "_class_name": "AutoencoderKL", "down_block_types": ["AttnDownEncoderBlock2D"] * 4}) is None
