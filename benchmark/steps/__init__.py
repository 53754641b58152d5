"""Training loops: a step is written once, and runs eagerly on a CPU or as a CUDA graph on a card.

A loop has three parts, so that a card never waits for Python::

    mode = steps.mode(ctx.device)
    rate = steps.Rate(optimiser, mode)
    random = seeding.generator("my-training", self.seed)

    def draws():  # on the CPU, from named streams, in the order of the steps; read ahead
        for step in range(total):
            index = torch.randint(len(real), (64,), generator=random)
            yield {"images": real.images[index], "labels": real.labels[index], "rate": steps.rate(schedule(step))}

    def step(batch):  # on the device: a function of the batch, with no branch on a tensor and no value read from one
        rate.set(batch["rate"])
        optimiser.zero_grad(set_to_none=True)
        loss = F.cross_entropy(network(scaled(batch["images"])), batch["labels"])
        loss.backward()
        optimiser.step()
        return {"loss": loss}

    def seen(at, outputs):  # on the CPU, in order, some steps later
        check_loss(float(outputs["loss"]), "my network", f"step {at + 1} of {total}", "lower the learning rate")

    run = steps.Steps(step, mode, seen)
    with steps.read_ahead(draws(), mode) as batches:
        for batch in batches:
            run(batch)
    run.settle()  # before anything is saved or judged

What the three parts promise each other is in docs/training-loops.md. This package imports torch.
"""

from ddbench.steps.ahead import read_ahead as read_ahead
from ddbench.steps.batch import Batch as Batch
from ddbench.steps.constants import constant as constant
from ddbench.steps.draws import draws_itself as draws_itself
from ddbench.steps.modes import Mode as Mode
from ddbench.steps.modes import mode as mode
from ddbench.steps.optimisers import Rate as Rate
from ddbench.steps.optimisers import adamw as adamw
from ddbench.steps.optimisers import forget as forget
from ddbench.steps.optimisers import rate as rate
from ddbench.steps.optimisers import sgd as sgd
from ddbench.steps.results import Results as Results
from ddbench.steps.run import Steps as Steps
