"""The built-in methods, by name. A variant is a few lines of difference; everything else is shared."""

from __future__ import annotations

from ddbench.methods.coreset import Herding, KCenter
from ddbench.methods.dc import DC
from ddbench.methods.diffusion.guidances.cgs import CGS
from ddbench.methods.diffusion.guidances.igd import IGD
from ddbench.methods.diffusion.guidances.mgd3 import MGD3
from ddbench.methods.diffusion.method import Diffusion
from ddbench.methods.diffusion.objectives.minimax import Minimax
from ddbench.methods.diffusion.objectives.objective import Plain
from ddbench.methods.diffusion.objectives.rsm import RSM
from ddbench.methods.diffusion.starts.start import Centres
from ddbench.methods.dm import DM
from ddbench.methods.rded import RDED
from ddbench.methods.real import Full, RandomReal

random = RandomReal()
"""seeded draw of real images"""

full = Full()
"""upper row: all real train images, nothing distilled"""

herding = Herding()
"""real images whose mean feature stays nearest to that of their class (iCaRL, CVPR 2017)"""

kcenter = KCenter()
"""real images that cover the features of their class: greedy k-center (ICLR 2018)"""

dm = DM()
"""distribution matching: mean embeddings under freshly drawn networks (WACV 2023)"""

dc = DC()
"""gradient matching: networks get the same gradients from real and synthetic images (DC, ICLR 2021)"""

rded = RDED()
"""collages of the crops of real images that a teacher finds most typical (CVPR 2024)"""

dit = Diffusion()
"""samples of the diffusion prior as it is"""

dit_ft = Diffusion(objective=Plain())
"""prior fine-tuned with the plain denoising loss, on the same budget as minimax and rsm"""

minimax = Diffusion(objective=Minimax())
"""prior fine-tuned for representativeness and diversity (CVPR 2024)"""

rsm = Diffusion(objective=RSM())
"""prior fine-tuned with an L1 penalty on the predicted image (CVPR 2026, first stage)"""

cgs = Diffusion(guidance=CGS())
"""prior sampled under collaborative guidance: DPP diversity and class mean (CVPR 2026, second stage alone)"""

rsm_cgs = Diffusion(objective=RSM(), guidance=CGS())
"""RSM fine-tuning, then sampling under CGS (CVPR 2026)"""

mgd3 = Diffusion(guidance=MGD3())
"""prior sampled with each image drawn to a mode of its class (ICML 2025)"""

igd = Diffusion(guidance=IGD())
"""prior sampled towards images that train a network as real ones do (ICLR 2025)"""

d4m_style = Diffusion(start=Centres())
"""centres of clusters of a class, noised part of the way and denoised by the prior: D4M's idea (CVPR 2024), not D4M"""
