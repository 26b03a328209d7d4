"""Exchange files with the Python package safetensors, in both directions.

    python3 tests/check_safetensors.py build/float/test_safetensors

The test program writes its reference tensors for the package to read, and reads what the package writes.
"""

import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from safetensors import safe_open
    from safetensors.numpy import save_file
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(0)

REFERENCE = {
    "field.0.weight": np.array([[1.5, -2, 0], [3.25e-20, 1e30, -0.0]], dtype=np.float32),
    'double "x"\\y': np.array([0.1, -1e-300, 1e300]),
    "rng": np.array([0, 2**64 - 1], dtype=np.uint64),
    "\u00e9t\u00e9": np.array(7, dtype=np.float32),
    "empty": np.zeros((4, 0)),
}
METADATA = {"version": "1", "note": 'two\nlines, "quoted"'}


def main():
    program = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = os.path.join(folder, "ours.safetensors"), os.path.join(folder, "theirs.safetensors")
        save_file(REFERENCE, theirs, metadata=METADATA)
        environment = dict(os.environ, COSTATE_SAFETENSORS_OUT=ours, COSTATE_SAFETENSORS_IN=theirs)
        run = subprocess.run([program], env=environment, capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"{program} failed:\n{run.stdout}{run.stderr}")
        with safe_open(ours, framework="np") as file:
            assert file.metadata() == METADATA, file.metadata()
            assert set(file.keys()) == set(REFERENCE), list(file.keys())
            for name, expected in REFERENCE.items():
                tensor = file.get_tensor(name)
                assert tensor.dtype == expected.dtype and tensor.shape == expected.shape, (name, tensor)
                assert tensor.tobytes() == expected.tobytes(), (name, tensor, expected)
    print("safetensors: files of both programs read by the other")


main()
