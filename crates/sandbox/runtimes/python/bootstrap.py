"""Entry of the Python runtime: what the engine starts as /var/runtime/bootstrap.py.

Kept to these lines because the interpreter compiles the script it is given at each start;
the modules of the package beside it are compiled once.
"""

import os

from lambd_runtime import bootstrap

if __name__ == "__main__":
    # No function can set a variable whose name begins so.
    if "_LAMBD_STEM" in os.environ:
        from lambd_runtime import stem

        stem.wait()
    bootstrap.main()
