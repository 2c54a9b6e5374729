"""The matrices that the authors of HiPPO use, as their code fills them, for the chapter `hippo`.

    python benchmarks/peers/hippo_code.py HIPPO_CODE/model/op.py S4/src/models/hippo/hippo.py

The two files are of HazyResearch/hippo-code at 77523880 and of state-spaces/s4 at bfd9eb13. Their modules import torch;
`transition` itself needs numpy only, so that function alone is taken from the file and run. Printed by numpy 2.4.6:

    legs, N = 3
    A [[-1, 0, 0], [-1.73205, -2, 0], [-2.23607, -3.87298, -3]]
    B [1, 1.73205, 2.23607]
    legt, N = 3
    A [[-1, 1.73205, -2.23607], [-1.73205, -3, 3.87298], [-2.23607, -3.87298, -5]]
    B [1, 1.73205, 2.23607]
    lmu, N = 3
    A [[-1, -1, -1], [3, -3, -3], [-5, 5, -5]]
    B [1, -3, 5]
    fourier, N = 6, poles: -1.45505, -1.09896+2.62102i, -0.67352+5.71823i
    fourier_decay, N = 6, poles: -0.53544, -0.52088+3.06357i, -0.46141+6.12087i
"""

import ast
import sys
from pathlib import Path

import numpy as np


def transition_of(path):
    """Return the function `transition` of a file."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "transition"]
    names = {"np": np}
    exec(compile(tree, path, "exec"), names)
    return names["transition"]


def main(first, second):
    """Print the matrices and the poles."""
    transition = transition_of(first)
    for measure in ("legs", "legt", "lmu"):
        A, B = transition(measure, 3)
        print(f"{measure}, N = 3")
        print("A", [[float(f"{value:.6g}") for value in row] for row in A])
        print("B", [float(f"{value:.6g}") for value in B[:, 0]])
    transition = transition_of(second)
    for measure in ("fourier", "fourier_decay"):
        poles = np.linalg.eigvals(transition(measure, 6)[0])
        # the sine of frequency 0 is a decoupled zero; of each pair one is printed
        upper = sorted((pole for pole in poles if pole.imag > -1e-9 and abs(pole) > 1e-9), key=lambda pole: pole.imag)
        print(f"{measure}, N = 6, poles:", ", ".join(f"{pole.real:.5f}{pole.imag:+.5f}i" for pole in upper))


if __name__ == "__main__":
    main(*sys.argv[1:])
