"""What keeping freed memory is worth to a small network on a CPU: two processes, one after the other, in one run.

pytest tests/perf/test_allocator.py -s
"""

import subprocess
import sys

CODE = """
import sys, time, torch, torch.nn.functional as F
from ddbench.stages.allocator import keep_freed_memory
from ddbench.evaluators.networks import convnet3_w32
torch.set_num_threads(1)
if sys.argv[1] == "keep":
    keep_freed_memory()
model = convnet3_w32((1, 16, 16), 10)
x, y = torch.randn(64, 1, 16, 16), torch.randint(0, 10, (64,))
optimiser = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)
def step():
    optimiser.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimiser.step()
for _ in range(10): step()
start = time.perf_counter()
for _ in range(100): step()
print((time.perf_counter() - start) * 10)
"""


def test_training_steps_are_faster_when_freed_memory_is_kept():
    def milliseconds(how):
        done = subprocess.run([sys.executable, "-c", CODE, how], capture_output=True, text=True, check=True)
        return float(done.stdout)

    pairs = [(milliseconds("default"), milliseconds("keep")) for _ in range(3)]
    default, keep = (min(times) for times in zip(*pairs, strict=True))
    print(
        f"\nConvNet-3 (width 32), batch 64 of 16 px: {default:.1f} ms a step, {keep:.1f} ms with memory kept, "
        f"ratio {default / keep:.2f}"
    )
    assert keep < default
