"""DiffFit as its authors have it: which weights it trains, that copies stay one, and what is left of it afterwards."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from diffusers import DiTTransformer2DModel

from ddbench.methods.diffusion.model import put
from ddbench.methods.diffusion.objectives.objective import Plain
from ddbench.methods.diffusion.training.finetune import FineTune
from ddbench.methods.diffusion.training.options import FineTuning
from ddbench.methods.diffusion.training.trainable import trainable
from ddbench.types import StageContext
from tests.conftest import make_model

SHORT = FineTuning(steps=6, batch=8, lr=1e-2, ema=0.5, mirror=False)
EMBEDDERS = (
    "class_embedder.embedding_table.weight",
    "timestep_embedder.linear_1.bias",
    "timestep_embedder.linear_2.bias",
)


@pytest.fixture
def one_table():
    """A model as a pretrained DiT comes: each block's copy of the class table and the timestep MLP is the same."""
    model = make_model()
    first, *others = [block.norm1.emb for block in model.transformer.transformer_blocks]
    for other in others:
        other.load_state_dict(first.state_dict())
    return model


def weights(model):
    return {name: p.detach().clone() for name, p in model.transformer.named_parameters()}


def predictions(model):
    x = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model.predict(x, torch.full((4,), 500), torch.tensor([0, 1, 2, 3]))[0]


def tune(images, model, **options):
    training = dataclasses.replace(SHORT, **options)
    return FineTune(objective=Plain(), training=training).run(images, model, StageContext(seed=0))


def test_it_trains_1_739_552_parameters_of_dit_xl_2():
    """The authors' own count is 1.74 M. By hand: 28 blocks with biases of qkv, projection, MLP and modulation, 14 with
    gammas of 3 D + 3 D, one table of 1001 rows, the timestep MLP's, the patches' and the last layers' biases."""
    d = 1152
    with torch.device("meta"):
        transformer = DiTTransformer2DModel(
            num_attention_heads=16, attention_head_dim=72, in_channels=4, out_channels=8, num_layers=28, sample_size=32
        )
    with trainable(transformer, FineTuning()) as (parameters, _):
        found = sum(p.numel() for p in parameters)
    assert found == 28 * (3 + 1 + 4 + 1 + 6) * d + 14 * 6 * d + 1001 * d + 2 * d + d + 2 * d + 2 * 2 * 8 == 1_739_552


def test_it_changes_biases_tables_and_the_scaled_layers_alone(images, one_table):
    before = weights(one_table)
    after = weights(tune(images, one_table))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    scaled = {f"transformer_blocks.0.{name}.weight" for name in ("ff.net.2", *(f"attn1.to_{x}" for x in "qkv"))}
    scaled.add("transformer_blocks.0.attn1.to_out.0.weight")
    tables = {name for name in before if "embedding_table" in name}
    assert changed == scaled | tables | {name for name in before if name.endswith(".bias")}


def test_equal_copies_stay_one_table_and_one_timestep_mlp(images, one_table):
    model = tune(images, one_table)
    named = weights(model)
    for name in EMBEDDERS:
        first, second = (named[f"transformer_blocks.{i}.norm1.emb.{name}"] for i in (0, 1))
        assert torch.equal(first, second)
        kept = [w for n, w in model.tuned[0][1].items() if n.endswith(name)]
        assert len(kept) == 2 and kept[0] is kept[1]


def test_the_shared_change_has_the_gradient_of_one_table(one_table):
    x, t, ids = torch.randn(4, 1, 8, 8), torch.full((4,), 300), torch.tensor([0, 1, 1, 4])
    with trainable(one_table.transformer, FineTuning()) as (parameters, _):
        one_table.predict(x, t, ids)[0].square().mean().backward()
        found = [p.grad for p in parameters[-3:]]
    blocks = one_table.transformer.transformer_blocks
    blocks[1].norm1.emb = blocks[0].norm1.emb
    one_table.transformer.zero_grad()
    one_table.predict(x, t, ids)[0].square().mean().backward()
    named = dict(blocks[0].norm1.emb.named_parameters())
    for gradient, name in zip(found, EMBEDDERS, strict=True):
        torch.testing.assert_close(gradient, named[name].grad)


def test_the_gammas_of_projection_and_branch_have_the_gradient_of_their_product(one_table):
    block = one_table.transformer.transformer_blocks[0]
    x, t, ids = torch.randn(4, 1, 8, 8), torch.full((4,), 300), torch.tensor([0, 1, 1, 4])
    with trainable(one_table.transformer, FineTuning()) as (parameters, _):
        gammas = [p for p in parameters if p.shape == (16,) and torch.equal(p, torch.ones(16))]
        assert len(gammas) == 6  # of q, k, v, the projection, the attention branch and the MLP branch
        one_table.predict(x, t, ids)[0].square().mean().backward()
        found = [g.grad for g in gammas]
    assert torch.equal(found[0], found[1])  # two factors of one product, both 1
    gamma = torch.ones(16, requires_grad=True)
    hook = block.attn1.to_out[0].register_forward_hook(lambda m, i, o: F.linear(i[0], m.weight, m.bias) * gamma)
    one_table.predict(x, t, ids)[0].square().mean().backward()
    hook.remove()
    torch.testing.assert_close(found[0], gamma.grad)


def test_folded_scales_and_changes_predict_what_the_hooked_network_did():
    model = make_model()  # whose blocks have tables of their own
    with trainable(model.transformer, FineTuning()) as (parameters, _):
        for p in parameters:
            p.data.add_(0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(2)))
        hooked = predictions(model)
    torch.testing.assert_close(predictions(model), hooked, rtol=1e-4, atol=1e-5)


def test_only_the_chosen_weights_are_trainable_and_all_are_again_afterwards():
    model = make_model()
    with trainable(model.transformer, FineTuning()):
        frozen = [n for n, p in model.transformer.named_parameters() if not p.requires_grad]
        assert "transformer_blocks.1.attn1.to_q.weight" in frozen
        assert "transformer_blocks.0.norm1.linear.weight" in frozen
    assert all(p.requires_grad for p in model.transformer.parameters())


def test_what_is_saved_stores_one_table_and_loads_as_a_plain_diffusers_model(images, one_table, tmp_path):
    expected = predictions(tune(images, one_table))
    one_table.save_tuned(tmp_path)
    table = one_table.tuned[0][1]["transformer_blocks.0.norm1.emb.class_embedder.embedding_table.weight"]
    from safetensors.torch import load_file

    stored = load_file(tmp_path / "0.safetensors")
    assert sum(tensor.shape == table.shape for tensor in stored.values()) == 1

    again = make_model()
    again.load_tuned(tmp_path)
    again.transformer.load_state_dict(one_table.transformer.state_dict())  # as the prior that it stands on
    put(again.transformer, again.tuned[0][1])
    again.transformer.save_pretrained(tmp_path / "transformer")
    plain = DiTTransformer2DModel.from_pretrained(tmp_path / "transformer", low_cpu_mem_usage=False)
    again.transformer = plain.eval()
    assert torch.equal(predictions(again), expected)
