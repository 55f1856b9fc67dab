"""Entry point of lamb's runtime for Python functions.

It is started as `<interpreter> <this file>`, so that a program named by
AWS_LAMBDA_EXEC_WRAPPER can put interpreter options in front of the last
argument. Everything else is in the package _lamb beside this file.
"""

import sys

# The function's code is shared between environments and must stay as it was
# uploaded: on AWS it cannot be written to at all.
sys.dont_write_bytecode = True

_here = __file__.rpartition("/")[0]
if sys.path[:1] != [_here]:  # python -P, PYTHONSAFEPATH
    sys.path.insert(0, _here)

from _lamb.runtime import run  # noqa: E402

if __name__ == "__main__":
    run(_here)
