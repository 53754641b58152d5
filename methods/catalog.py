"""The built-in methods, by name. A variant is a few lines of difference; everything else is shared."""

from __future__ import annotations

from methods.coreset import Herding, KCenter
from methods.diffusion.cgs import CGS
from methods.diffusion.method import Diffusion
from methods.diffusion.minimax import Minimax
from methods.diffusion.objective import Plain
from methods.diffusion.rsm import RSM
from methods.dm import DM
from methods.random_real import RandomReal

random = RandomReal()
"""seeded draw of real images"""

herding = Herding()
"""real images whose mean feature stays nearest to that of their class (iCaRL, CVPR 2017)"""

kcenter = KCenter()
"""real images that cover the features of their class: greedy k-center (ICLR 2018)"""

dm = DM()
"""distribution matching: mean embeddings under freshly drawn networks (WACV 2023)"""

dit = Diffusion()
"""samples of the diffusion prior as it is"""

dit_ft = Diffusion(objective=Plain())
"""prior fine-tuned with the plain denoising loss, on the same budget as minimax and rsm"""

minimax = Diffusion(objective=Minimax())
"""prior fine-tuned for representativeness and diversity (CVPR 2024)"""

rsm = Diffusion(objective=RSM())
"""prior fine-tuned with an L1 penalty on the predicted image (CVPR 2026, first stage)"""

cgs = Diffusion(guidance=CGS())
"""prior sampled under collective guidance: DPP diversity and class mean (CVPR 2026, second stage alone)"""

rsm_cgs = Diffusion(objective=RSM(), guidance=CGS())
"""RSM fine-tuning, then sampling under CGS (CVPR 2026)"""
