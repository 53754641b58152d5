"""Every training loop as on a card: read ahead, captured and replayed, the bytes those of an eager run."""

import dataclasses

import pytest
import torch

from ddbench import steps
from ddbench.evaluators.networks import convnet3_w32
from ddbench.evaluators.protocols import HardLabels, minimax_sgd_1, rded_1k_2
from ddbench.evaluators.students import BatchNormConvNet
from ddbench.methods.dc import DC
from ddbench.methods.diffusion.guidances.igd_surrogate import TrainedSurrogate
from ddbench.methods.diffusion.objectives.minimax import Minimax
from ddbench.methods.diffusion.objectives.objective import Plain
from ddbench.methods.diffusion.objectives.rsm import RSM
from ddbench.methods.diffusion.priors.scratch import ScratchPrior
from ddbench.methods.diffusion.training import train as training_module
from ddbench.methods.diffusion.training.finetune import FineTune
from ddbench.methods.diffusion.training.options import FineTuning, Training
from ddbench.methods.dm import DM
from ddbench.methods.embedder import TrainedEmbedder
from ddbench.types import LabeledImages, StageContext
from tests.conftest import make_model
from tests.support.networks import RandomNetwork, weights
from tests.support.recorded import card

PRIOR = ScratchPrior(width=16, layers=1, heads=1, training=Training(steps=12, batch=8, ema=0.9, warmup=4))
TUNING = FineTuning(steps=9, batch=8, lr=1e-2, ema=0.9, mirror=True, parameters="difffit")
NETWORKS = {"net": convnet3_w32, "norms": BatchNormConvNet(2, 8)}


def context(**options):
    return StageContext(seed=0, networks=NETWORKS, **options)


def prior(images, log):
    return weights(PRIOR.run(images, None, context(log=log)).transformer)


def tuned(images, log, objective=None, **options):
    tuning = FineTune(objective=objective or RSM(), training=dataclasses.replace(TUNING, **options))
    return weights(tuning.run(images, make_model(), context(log=log)).transformer)


def tuned_in_parts(images, log):
    return tuned(images, log, accumulate=2, parameters="full", warmup=4, decay="linear")


def embedder(images, log):
    training = TrainedEmbedder(network="net", epochs=5, batch=8)
    return weights(training.run(some(images, 36), None, context(log=log)).network)


def surrogate(images, log):
    training = TrainedSurrogate(network="net", epochs=5, batch=8, checkpoints=(5,))
    return weights(training.run(some(images, 36), None, context(log=log)).embedder.network)


def judged(images, log, protocol=None, network=convnet3_w32, channels=1):
    protocol = protocol or HardLabels(epochs_by_ipc=((1000, 6),), evaluations=3, batch=16)
    built = []
    colour = LabeledImages(images.images.repeat(1, channels, 1, 1), images.labels, images.classes)
    found = protocol.evaluate(colour, colour, lambda *a: built.append(network(*a)) or built[0], context(log=log))
    log(dict(found.curve))
    return weights(built[0])


def judged_by_sgd(images, log):
    protocol = dataclasses.replace(
        minimax_sgd_1, side=16, epochs_by_ipc=((1000, 6),), evaluations=3, batch=16, schedule="cosine"
    )
    return judged(images, log, protocol, channels=3)


def judged_with_strips(images, log):
    augmented = dataclasses.replace(minimax_sgd_1, augmentation=rded_1k_2.augmentation, second_forward=True, side=16)
    options = {"optimiser": "adamw", "epochs_by_ipc": ((1000, 6),), "evaluations": 3, "batch": 16, "shift": 0.1}
    return judged(images, log, dataclasses.replace(augmented, **options), channels=3)


def distilled(images, log, **options):
    options = {"iterations": 6, "batch_real": 8, "lr": 30.0, "embedder": "net", "at_once": 64, **options}
    return DM(**options).distill(images, None, 2, context(log=log)).images


def distilled_in_passes(images, log):
    """Four classes of two images in passes of four, real ones by class."""
    return distilled(images, log, at_once=4)


def condensed(images, log, network="net"):
    """Two networks, three steps of the pixels each, two epochs of two batches between them."""
    options = {"iterations": 2, "outer": 3, "inner": 2, "batch_real": 8, "batch_train": 3, "lr": 3.0}
    return DC(network=network, **options).distill(images, None, 2, context(log=log)).images


def condensed_with_norms(images, log):
    return condensed(images, log, network="norms")


def some(images, n):
    return LabeledImages(images.images[:n], images.labels[:n], images.classes)


LOOPS = [prior, tuned, tuned_in_parts, embedder, surrogate, judged, judged_by_sgd, judged_with_strips]
LOOPS += [distilled, distilled_in_passes, condensed, condensed_with_norms]


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_replayed_steps_give_the_bytes_of_eager_ones(images, monkeypatch, loop):
    logs = ({}, {})
    with card(monkeypatch) as replayed:
        found = loop(images, logs[0].update)
    with card(monkeypatch, refuse=True, kept=1) as eager:
        expected = loop(images, logs[1].update)
    assert replayed.captures >= 1 and replayed.replays >= 3
    assert eager.replays == 0
    assert torch.equal(found, expected)
    assert logs[0] == logs[1]


@pytest.mark.parametrize("loop", [loop for loop in LOOPS if loop not in (surrogate, judged_by_sgd)])
def test_a_cpu_gives_these_bytes_as_well(images, monkeypatch, loop):
    """All but fused SGD, which rounds in its own way."""
    logs = ({}, {})
    with card(monkeypatch):
        found = loop(images, logs[0].update)
    assert torch.equal(found, loop(images, logs[1].update))
    assert logs[0] == logs[1]


def test_a_last_smaller_batch_has_a_graph_of_its_own(images, monkeypatch):
    with card(monkeypatch) as recordings:
        embedder(images, lambda found: None)
    assert recordings.captures == 2  # of 8 images and of 4
    assert recordings.warm_ups == 6
    assert recordings.warm_ups + recordings.replays == 5 * 5


def test_an_objective_with_a_memory_is_not_captured(images, monkeypatch):
    with card(monkeypatch) as recordings:
        found = tuned(images, lambda found: None, Minimax(), mirror=False)
    assert recordings.captures == recordings.warm_ups == 0
    assert torch.equal(found, tuned(images, lambda found: None, Minimax(), mirror=False))


def test_a_network_that_draws_on_the_cpu_is_not_captured(images, monkeypatch):
    def judge():
        return judged(images, lambda found: None, network=RandomNetwork())

    with card(monkeypatch) as recordings:
        found = judge()
    assert (recordings.warm_ups, recordings.captures) == (1, 0)
    assert torch.equal(found, judge())


class Interrupted(BaseException):
    pass


@pytest.mark.parametrize("stop", [2, 4, 7])
def test_a_run_that_was_read_ahead_resumes_from_its_own_step(images, tmp_path, monkeypatch, stop):
    """Wherever it is stopped, in warm-up or among replays, with draws of all its steps made already."""
    options = {"order": "with_replacement", "parameters": "full"}
    monkeypatch.setattr(training_module, "CHECKPOINT_SECONDS", -1.0)
    tuning = FineTune(objective=Plain(), training=dataclasses.replace(TUNING, **options))

    def progress(done, total):
        if done == stop:
            raise Interrupted

    log = {}
    with card(monkeypatch):
        whole = tuned(images, log.update, Plain(), **options)
        with pytest.raises(Interrupted):
            tuning.run(images, make_model(), context(scratch=tmp_path, progress=progress))
        again = {}
        resumed = tuning.run(images, make_model(), context(scratch=tmp_path, log=again.update))
    assert torch.equal(weights(resumed.transformer), whole)
    assert again == log


def test_a_loss_that_is_not_finite_is_named_by_its_first_step(images, monkeypatch):
    """Learning at this rate ends within the warm-up or later; the card's message is that of the CPU."""
    training = TrainedEmbedder(network="net", epochs=3, batch=8, lr=1e30)
    with pytest.raises(FloatingPointError, match=r"the loss of the embedder became \w+ at step \d+ of 15") as expected:
        training.run(images, None, context())
    with card(monkeypatch), pytest.raises(FloatingPointError) as found:
        training.run(images, None, context())
    assert str(found.value) == str(expected.value)


def test_weights_of_a_diverged_prior_are_not_saved(images, tmp_path, monkeypatch):
    """The loss is looked at before a checkpoint, however many steps are kept on the device."""
    monkeypatch.setattr(training_module, "CHECKPOINT_SECONDS", -1.0)
    broken = dataclasses.replace(PRIOR, training=Training(steps=12, batch=8, lr=1e38, warmup=0))
    with card(monkeypatch, kept=64), pytest.raises(FloatingPointError, match="became nan at step 2 of 12"):
        broken.run(images, None, context(scratch=tmp_path))
    saved = torch.load(next(tmp_path.rglob("training.pt")), weights_only=True)
    assert saved["step"] == 1


def test_no_thread_is_left_behind(images, monkeypatch):
    import threading

    with card(monkeypatch):
        embedder(images, lambda found: None)
    assert not [thread for thread in threading.enumerate() if thread.name == "draws"]
    assert steps.mode("cpu") == steps.Mode(torch.device("cpu"))
