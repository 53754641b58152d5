"""Which heavy libraries a command or some code imports, in a process of its own."""

import subprocess
import sys

HEAVY = ("torch", "ray", "diffusers", "torchvision", "pandas", "matplotlib", "seaborn", "sklearn", "numpy")


def loaded_by(code):
    code += f"\nimport sys; print('LOADED', *[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()[-1].split()[1:]


def loaded_by_command(*arguments):
    """Of ``bench arguments...``."""
    return loaded_by(
        "import sys; from ddbench.cli.main import main\n"
        f"sys.argv = ['bench', *{list(arguments)!r}]\n"
        "try: main()\n"
        "except SystemExit: pass"
    )
