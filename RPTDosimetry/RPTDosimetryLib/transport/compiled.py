"""How the transport is compiled: kept on disk between runs, without the interpreter's lock or Python's division checks.

No memory is allocated inside, so arrays are not counted (_nrt): counting them at every call takes longer than the call.

Numba recompiles a function when its own file changes, not when one that it calls does: after editing the transport,
remove ``__pycache__/*.nb?``.
"""

from __future__ import annotations

from functools import partial

import numba

compiled = partial(
    numba.njit, cache=True, nogil=True, _nrt=False, error_model="numpy", fastmath={"contract", "arcp", "nsz", "afn"}
)
#: The same for small functions of the inner loop: called out of line, copying the tables' descriptors costs more than
#: the work.
inlined = partial(compiled, forceinline=True)
