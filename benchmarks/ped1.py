"""UCSD Ped1 under both protocols; `benchmarks.ucsd.measuring` explains it.

python -m benchmarks.ped1 --data DIR            # every row that is missing; stop and go on at will
python -m benchmarks.ped1 --data DIR --fresh    # all rows anew

Writes benchmarks/results/ped1.json; `python -m benchmarks.tables` puts it into the READMEs.
"""

from __future__ import annotations

import sys

from benchmarks.ucsd.measuring import main

if __name__ == "__main__":
    sys.exit(main("ped1"))
